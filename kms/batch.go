package kms

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Batch is many keys to be issued in one go.
type Batch struct {
	// Choose returns the keys to issue, given what is on record. It is called
	// with the ledger locked, so nobody else issues in between.
	Choose func(*Record) ([]Request, error)
	// Folder is where the key files go; what an interrupted run left in it is
	// settled first.
	Folder string
	// Workers is how many keys are made at once; 0 means 1.
	Workers int
	// Done, if not nil, is called after each key is written, with how many are
	// and how many there will be.
	Done func(done, of int)
}

// BatchResult is what IssueAll did. With an error, it is what it did before.
type BatchResult struct {
	Issued   []Issued   // in the order of their numbers
	Of       int        // how many were to be issued
	Finished []Issued   // that an interrupted run had left without their names
	Voided   []uint64   // that an interrupted run had recorded and never written
	Torn     *TornError // the line that was found cut short
}

// IssueAll issues many keys, as Issue does one. When ctx is done it stops after
// the key that is being written and returns ctx's error; what it did is on
// record and in files, and the same batch goes on from there if Choose leaves
// out what is on record.
func (a *Authority) IssueAll(ctx context.Context, rand io.Reader, b Batch, now time.Time) (*BatchResult, error) {
	l, torn, err := a.change(rand, now)
	if err != nil {
		return nil, err
	}
	defer l.close()
	out := &BatchResult{Torn: torn}
	if out.Finished, out.Voided, err = a.settleFolder(rand, l, b.Folder, now); err != nil {
		return out, err
	}
	l.link()
	requests, err := b.Choose(l.record())
	if err != nil {
		return out, err
	}
	for _, r := range requests {
		err := r.check()
		if err == nil {
			err = l.checkLimit(r)
		}
		if err != nil {
			return out, err
		}
	}
	out.Of = len(requests)
	ctx, stop := context.WithCancel(ctx)
	keys := a.makeAll(ctx, rand, requests, l.next(), l.generation, max(b.Workers, 1))
	defer func() {
		stop()
		keys.drain()
	}()
	for i, r := range requests {
		made, err := keys.next(ctx)
		if err != nil {
			return out, err
		}
		issue, err := a.write(rand, l, r, made, now)
		clear(made)
		if err != nil {
			return out, err
		}
		out.Issued = append(out.Issued, Issued{Issue: issue, Path: r.Path, Size: len(made)})
		if b.Done != nil {
			b.Done(i+1, len(requests))
		}
	}
	return out, nil
}

// production makes keys in the background and hands them out in order.
type production struct {
	slots []chan made   // slots[i] gets key i
	ahead chan struct{} // a token for each key that is made and not taken
	taken int
	wait  sync.WaitGroup
}

type made struct {
	data []byte
	err  error
}

// makeAll begins to make the keys of requests, numbered from first. It stops
// when ctx is done.
func (a *Authority) makeAll(ctx context.Context, rand io.Reader, requests []Request, first uint64, generation uint32,
	workers int) *production {
	p := &production{slots: make([]chan made, len(requests)), ahead: make(chan struct{}, 4*workers)}
	for i := range p.slots {
		p.slots[i] = make(chan made, 1)
	}
	rand = &sharedReader{r: rand}
	p.wait.Go(func() {
		var making errgroup.Group
		making.SetLimit(workers)
		defer making.Wait()
		for i, r := range requests {
			select {
			case p.ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			making.Go(func() error {
				data, err := a.make(rand, r, first+uint64(i), generation)
				p.slots[i] <- made{data, err}
				return nil
			})
		}
	})
	return p
}

// next returns the next key's bytes.
func (p *production) next(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case m := <-p.slots[p.taken]:
		p.taken++
		<-p.ahead
		return m.data, m.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// drain waits for the workers, whose context is done, and erases what nobody
// took.
func (p *production) drain() {
	p.wait.Wait()
	for _, slot := range p.slots[p.taken:] {
		select {
		case m := <-slot:
			clear(m.data)
		default:
		}
	}
}

// sharedReader lets several workers read from one source.
type sharedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (s *sharedReader) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(b)
}

// Interrupted says whether err is that of a batch that was told to stop.
func Interrupted(err error) bool { return errors.Is(err, context.Canceled) }
