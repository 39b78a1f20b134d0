package kms

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"coterie/kms/keyfile"
)

// many are n of the cheapest requests there are, into a folder of their own.
func many(a *Authority, n int) (requests []Request, folder string) {
	folder = filepath.Join(filepath.Dir(a.files.prefix), "keys")
	for i := range n {
		r := ask(a, fmt.Sprintf("keys/%d.key", i+1))
		r.Name = fmt.Sprintf("Member %d", i+1)
		requests = append(requests, r)
	}
	return requests, folder
}

// batch issues those requests that are not on record.
func batch(requests []Request, folder string) Batch {
	return Batch{Folder: folder, Workers: 2, Choose: func(known *Record) ([]Request, error) {
		var left []Request
		for _, r := range requests {
			if !slices.ContainsFunc(known.Issues, func(i Issue) bool { return !i.Void && i.Grant() == r.Grant() }) {
				left = append(left, r)
			}
		}
		return left, nil
	}}
}

func mkdir(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
}

// checkAll makes sure that each member has one key, that it is in its file and
// on record, and that nothing else is there.
func checkAll(t *testing.T, a *Authority, requests []Request, folder string) {
	t.Helper()
	keys := make(map[string]int)
	for _, i := range list(t, a) {
		if !i.Void && !i.Torn {
			keys[i.Name]++
		}
	}
	for _, r := range requests {
		if keys[r.Name] != 1 {
			t.Errorf("%s has %d keys", r.Name, keys[r.Name])
		}
		k, err := keyfile.LoadKey(r.Path, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		issue := list(t, a)[k.Serial()-1]
		if issue.Void || issue.Name != r.Name || issue.File != sha256.Sum256(readFile(t, r.Path)) {
			t.Errorf("%s: %+v", r.Path, issue)
		}
	}
	if names := namesIn(t, folder); len(names) != len(requests) {
		t.Errorf("the folder has %q", names)
	}
}

func TestBatch(t *testing.T) {
	a := domain(t)
	issue(t, a, "first.key")
	requests, folder := many(a, 7)
	mkdir(t, folder)
	b := batch(requests, folder)
	var progress []string
	b.Done = func(done, of int) { progress = append(progress, fmt.Sprint(done, "/", of)) }
	out, err := a.IssueAll(t.Context(), rand.Reader, b, morning)
	if err != nil {
		t.Fatal(err)
	}
	for i, issued := range out.Issued {
		if issued.Number != uint64(i+2) || issued.Path != requests[i].Path || issued.Size != len(readFile(t, issued.Path)) {
			t.Errorf("%d: %+v", i, issued)
		}
	}
	if got := strings.Join(progress, " "); got != "1/7 2/7 3/7 4/7 5/7 6/7 7/7" {
		t.Errorf("progress: %s", got)
	}
	checkAll(t, a, requests, folder)
	// Once more, there is nothing to do.
	if out, err := a.IssueAll(t.Context(), rand.Reader, batch(requests, folder), morning); err != nil || out.Of != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	checkAll(t, a, requests, folder)
}

// A batch that is stopped has issued what it says, and the same one goes on.
func TestBatchStopped(t *testing.T) {
	a := domain(t)
	requests, folder := many(a, 6)
	mkdir(t, folder)
	ctx, stop := context.WithCancel(t.Context())
	b := batch(requests, folder)
	b.Done = func(done, _ int) {
		if done == 2 {
			stop()
		}
	}
	out, err := a.IssueAll(ctx, rand.Reader, b, morning)
	if !Interrupted(err) || len(out.Issued) != 2 || out.Of != 6 {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := len(list(t, a)); n != 2 {
		t.Errorf("%d keys are on record", n)
	}
	if names := namesIn(t, folder); len(names) != 2 {
		t.Errorf("the folder has %q", names)
	}
	if out, err = a.IssueAll(t.Context(), rand.Reader, batch(requests, folder), morning); err != nil ||
		len(out.Issued) != 4 {
		t.Fatalf("%+v, %v", out, err)
	}
	checkAll(t, a, requests, folder)
}

// A machine that dies in the middle of a batch: at each point of the third key.
func TestBatchCrash(t *testing.T) {
	for name, crash := range map[string]struct {
		crash    func(t *testing.T, a *Authority, r Request)
		finished int
		voided   []uint64
	}{
		"before the entry": {func(t *testing.T, a *Authority, r Request) {
			writeFile(t, keyfile.TempName(r.Path, a.tag(3)), nil)
		}, 0, nil},
		"after the entry": {func(t *testing.T, a *Authority, r Request) { begin(t, a, r) }, 0, []uint64{3}},
		"half-way through the file": {func(t *testing.T, a *Authority, r Request) {
			data := begin(t, a, r)
			writeFile(t, keyfile.TempName(r.Path, a.tag(3)), data[:100])
		}, 0, []uint64{3}},
		"before the file's name": {func(t *testing.T, a *Authority, r Request) {
			writeFile(t, keyfile.TempName(r.Path, a.tag(3)), begin(t, a, r))
		}, 1, nil},
		"after the file's name": {func(t *testing.T, a *Authority, r Request) {
			data := begin(t, a, r)
			writeFile(t, keyfile.TempName(r.Path, a.tag(3)), data)
			if err := os.Link(keyfile.TempName(r.Path, a.tag(3)), r.Path); err != nil {
				t.Skip(err)
			}
		}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := domain(t)
			requests, folder := many(a, 4)
			mkdir(t, folder)
			if _, err := a.IssueAll(t.Context(), rand.Reader, batch(requests[:2], folder), morning); err != nil {
				t.Fatal(err)
			}
			crash.crash(t, a, requests[2])
			out, err := reopen(t, a.files).IssueAll(t.Context(), rand.Reader, batch(requests, folder), morning)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Finished) != crash.finished || !slices.Equal(out.Voided, crash.voided) {
				t.Errorf("finished %d, void %d", len(out.Finished), out.Voided)
			}
			checkAll(t, a, requests, folder)
		})
	}
}

// Two runs of the same batch at once: one does it, the other finds it done.
func TestBatchesAtOnce(t *testing.T) {
	a := domain(t)
	requests, folder := many(a, 5)
	mkdir(t, folder)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := reopen(t, a.files).IssueAll(context.Background(), rand.Reader, batch(requests, folder),
				morning); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkAll(t, a, requests, folder)
}

// Whoever has to wait for the ledger is told.
func TestWaitingIsSaid(t *testing.T) {
	a := domain(t)
	l, err := a.openLedger(true)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{})
	other := reopen(t, a.files)
	other.Waiting = func() { close(told) }
	done := make(chan error)
	go func() {
		_, err := other.Record()
		done <- err
	}()
	<-told
	l.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A run that waits while the ledger is replaced, as forgetting does, writes to
// the new one.
func TestWaitingWhileTheLedgerIsReplaced(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	l, err := a.openLedger(true)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan struct{})
	other := reopen(t, a.files)
	other.Waiting = func() { close(waits) }
	done := make(chan error)
	go func() {
		_, err := other.Issue(rand.Reader, ask(a, "2.key"), morning)
		done <- err
	}()
	<-waits
	if err := keyfile.Replace(a.files.Ledger(), readFile(t, a.files.Ledger()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, a)); n != 2 {
		t.Errorf("%d keys are on record", n)
	}
}

// What fails in the middle leaves what was before it, and no number out.
func TestBatchFailsInTheMiddle(t *testing.T) {
	a := domain(t)
	requests, folder := many(a, 4)
	mkdir(t, folder)
	b := batch(requests, folder)
	b.Done = func(done, _ int) {
		if done == 2 {
			writeFile(t, requests[2].Path, []byte("theirs"))
		}
	}
	out, err := a.IssueAll(t.Context(), rand.Reader, b, morning)
	if !errors.Is(err, keyfile.ErrExists) || len(out.Issued) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	os.Remove(requests[2].Path)
	if _, err := a.IssueAll(t.Context(), rand.Reader, batch(requests, folder), morning); err != nil {
		t.Fatal(err)
	}
	checkAll(t, a, requests, folder)
	// All requests are looked at before the first key is made.
	bad, _ := many(a, 6)
	bad[5].To = "age1nonsense"
	before := readFile(t, a.files.Ledger())
	if _, err := a.IssueAll(t.Context(), rand.Reader, batch(bad, folder), morning); err == nil {
		t.Error("a recipient that is none was taken")
	}
	if !bytes.Equal(before, readFile(t, a.files.Ledger())) {
		t.Error("something was issued")
	}
}

// Without randomness nothing is made, and the workers end.
func TestBatchWithoutRandomness(t *testing.T) {
	a := domain(t)
	requests, folder := many(a, 3)
	mkdir(t, folder)
	if _, err := a.IssueAll(t.Context(), bytes.NewReader(nil), batch(requests, folder), morning); err == nil {
		t.Error("keys came from nowhere")
	}
	if n := len(list(t, a)); n != 0 {
		t.Errorf("%d keys are on record", n)
	}
}
