//go:build !windows

package kms

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"

	"filippo.io/age"

	"coterie/crypto/abe"
)

// The numbers of docs/OPERATOR.md: a batch against circl alone, and the list of a
// large ledger.
//
//	go test ./kms -run xxx -bench 'Batch|KeyGen' -benchtime 1000x
//	go test ./kms -run xxx -bench Ledger

// cpu is the time that this process has used, on all cores: on a computer with
// other work to do it says more than a clock.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// reportCPU reports what was used since began for each of b.N.
func reportCPU(b *testing.B, began time.Duration) {
	b.ReportMetric(float64((cpu()-began).Microseconds())/1e3/float64(b.N), "cpu-ms/key")
}

// benchExpires is the usual validity.
const benchExpires = 90

// BenchmarkBatch issues b.N sealed keys of an attribute or two, as a table does:
// made on all cores, recorded, and written to files, each made durable.
func BenchmarkBatch(b *testing.B) {
	folder := b.TempDir()
	files := At(filepath.Join(folder, "NTNU"))
	if _, err := (&Prepared{files: files, master: master()}).Write(rand.Reader, Protection{}, 0, morning); err != nil {
		b.Fatal(err)
	}
	locked, err := Read(files)
	if err != nil {
		b.Fatal(err)
	}
	a, err := locked.Open(nil)
	if err != nil {
		b.Fatal(err)
	}
	attributes, err := abe.ParseAttributes([]string{"NTNU", "5th year"})
	if err != nil {
		b.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	keys := filepath.Join(folder, "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		b.Fatal(err)
	}
	var requests []Request
	for i := range b.N {
		requests = append(requests, Request{
			Name: fmt.Sprint("Member ", i), To: id.Recipient().String(), Attributes: attributes, From: today, Expires: today +
				benchExpires,
			Path: filepath.Join(keys, fmt.Sprintf("%d.key", i)),
		})
	}
	b.ResetTimer()
	began := cpu()
	out, err := a.IssueAll(b.Context(), rand.Reader, Batch{
		Folder: keys, Workers: runtime.GOMAXPROCS(0), Choose: func(*Record) ([]Request, error) { return requests, nil },
	}, morning)
	if err != nil || len(out.Issued) != b.N {
		b.Fatal(err)
	}
	reportCPU(b, began)
}

// BenchmarkKeyGen has circl alone make keys of the same labels on all cores.
func BenchmarkKeyGen(b *testing.B) {
	_, secret, err := tkn20.Setup(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	labels := map[string]string{"a_NTNU": "1", "a_5th_20year": "1", "g": "1"}
	for day := today; day < today+benchExpires; {
		for _, size := range []abe.Day{512, 64, 8, 1} {
			if day%size == 0 && size <= today+benchExpires-day {
				labels[fmt.Sprintf("d%d_%d", size, day/size)] = "1"
				day += size
				break
			}
		}
	}
	var attributes tkn20.Attributes
	attributes.FromMap(labels)
	b.ResetTimer()
	began := cpu()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := secret.KeyGen(rand.Reader, attributes); err != nil {
				b.Error(err)
			}
		}
	})
	reportCPU(b, began)
	b.ReportMetric(float64(len(labels)), "labels")
}

// BenchmarkLedger reads and checks a ledger of 10,000 keys, as kms list does once
// the master key is open.
func BenchmarkLedger(b *testing.B) {
	const keys = 10_000
	files := At(filepath.Join(b.TempDir(), "NTNU"))
	if _, err := (&Prepared{files: files, master: master()}).Write(rand.Reader, Protection{}, 0, morning); err != nil {
		b.Fatal(err)
	}
	locked, err := Read(files)
	if err != nil {
		b.Fatal(err)
	}
	a, err := locked.Open(nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := fillLedger(a, keys); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r, err := a.Record(); err != nil || len(r.Issues) != keys {
			b.Fatal(err)
		}
	}
}

// fillLedger records keys without making them.
func fillLedger(a *Authority, keys int) error {
	l, _, err := a.change(rand.Reader, morning)
	if err != nil {
		return err
	}
	defer l.close()
	data, err := l.read()
	if err != nil {
		return err
	}
	for i := range keys {
		e := &entry{
			prev: l.last, kind: kindIssued, time: morning.Unix(), number: l.next(), generation: 1, from: today, expires: today +
				benchExpires,
			attributes: []string{`"5th year"`, "NTNU"},
			person: person{form: personKept, name: fmt.Sprint("Member ", i),
				recipient: "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"},
		}
		rand.Read(e.person.salt[:])
		line, err := l.seal(rand.Reader, e)
		if err == nil {
			err = l.apply(e)
		}
		if err != nil {
			return err
		}
		l.lines++
		data = append(data, line...)
	}
	_, err = l.f.WriteAt(data, 0)
	return err
}
