package kms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"filippo.io/age"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

func TestRaise(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	for want := uint32(2); want < 4; want++ {
		if got, err := a.Raise(rand.Reader, morning); err != nil || got != want {
			t.Fatalf("%d, %v", got, err)
		}
	}
	issue(t, a, "2.key")
	k, err := keyfile.LoadKey(ask(a, "2.key").Path, nil)
	if err != nil || k.Generation() != 3 {
		t.Errorf("%v, %v", k, err)
	}
	// Rooms that ask for it let in the one and not the other.
	p, err := abe.ParsePolicy("NTNU and generation = 3")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true} {
		k, err := keyfile.LoadKey(ask(a, []string{"1.key", "2.key"}[i]).Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		room, err := a.Domain().ForDay(p, today)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := room.Encrypt(rand.Reader, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = room.Decrypt(k, sealed, 6)
		if (err == nil) != want {
			t.Errorf("key %d: %v", i+1, err)
		}
	}
}

func TestMark(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	for _, end := range []bool{true, false, true} {
		key, err := a.Mark(rand.Reader, 1, end, "left", morning)
		if err != nil || key.Number != 1 {
			t.Fatal(key, err)
		}
		if got := list(t, a)[0]; got.NoRenew != end || got.Because != "left" {
			t.Errorf("%+v", got)
		}
	}
	var number *NumberError
	for _, n := range []uint64{0, 2, 1 << 63} {
		if _, err := a.Mark(rand.Reader, n, true, "", morning); !errors.As(err, &number) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, err := a.Mark(rand.Reader, 1, true, "\x1b[2J", morning); !errors.Is(err, ErrName) {
		t.Errorf("%v", err)
	}
}

// Forgetting leaves nothing of the person in the file, and every hash as it was.
func TestForget(t *testing.T) {
	a := domain(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	r := ask(a, "1.key")
	r.To = id.Recipient().String()
	if _, err := a.Issue(rand.Reader, r, morning); err != nil {
		t.Fatal(err)
	}
	other := ask(a, "2.key")
	other.Name = "Ann Berg"
	if _, err := a.Issue(rand.Reader, other, morning); err != nil {
		t.Fatal(err)
	}
	issue(t, a, "3.key")
	before, err := a.Record()
	if err != nil {
		t.Fatal(err)
	}
	gone, err := a.Forget(rand.Reader, morning, func(i Issue) bool { return i.Name == "Kari Nordmann" })
	if err != nil || len(gone) != 2 || gone[0].Recipient != r.To {
		t.Fatalf("%+v, %v", gone, err)
	}
	after, err := reopen(t, a.files).Record()
	if err != nil {
		t.Fatal(err)
	}
	if after.Head != before.Head || after.Entries != before.Entries {
		t.Error("the chain is another")
	}
	for i, want := range []string{"", "Ann Berg", ""} {
		if got := after.Issues[i]; got.Name != want || got.Forgotten != (want == "") || got.Recipient != "" ||
			got.File != before.Issues[i].File {
			t.Errorf("%+v", got)
		}
	}
	// Decrypted, no line of it has the name.
	l, err := a.openLedger(false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	data, err := l.read()
	if err != nil {
		t.Fatal(err)
	}
	again, first := newLedger(l.path, l.id, l.aead)
	again.eachLine(data[len(first):], func(e *entry, line []byte) error {
		plain, err := e.marshal()
		if err != nil || bytes.Contains(plain, []byte("Kari")) || bytes.Contains(plain, []byte(r.To)) {
			t.Errorf("%q, %v", plain, err)
		}
		return nil
	})
	l.close()
	if more, err := a.Forget(rand.Reader, morning, func(i Issue) bool { return i.Name == "Kari Nordmann" }); err != nil ||
		more != nil {
		t.Errorf("%+v, %v", more, err)
	}
	issue(t, a, "4.key")
}

func TestClockSetBack(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	before := readFile(t, a.files.Ledger())
	earlier := morning.Add(-time.Hour)
	var clock *ClockError
	if _, err := a.Issue(rand.Reader, ask(a, "2.key"), earlier); !errors.As(err, &clock) || !clock.Last.Equal(morning) {
		t.Errorf("%v", err)
	}
	if _, err := a.Raise(rand.Reader, earlier); !errors.As(err, &clock) {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(before, readFile(t, a.files.Ledger())) {
		t.Error("the ledger was written")
	}
	// What a clock does that is being set is no reason to stop.
	if _, err := a.Issue(rand.Reader, ask(a, "2.key"), morning.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	a.ClockIsRight = true
	if _, err := a.Issue(rand.Reader, ask(a, "3.key"), earlier); err != nil {
		t.Error(err)
	}
	a.ClockIsRight = false
	if _, err := a.Issue(rand.Reader, ask(a, "4.key"), earlier); err != nil {
		t.Error(err)
	}
}

func TestLimit(t *testing.T) {
	files := At(filepath.Join(t.TempDir(), "NTNU"))
	if _, err := (&Prepared{files: files, master: master()}).Write(rand.Reader, Protection{Passphrase: password,
		WorkFactor: 1}, 30, morning); err != nil {
		t.Fatal(err)
	}
	a := reopen(t, files)
	r := ask(a, "1.key")
	r.Expires = today + 31
	var limit *LimitError
	if _, err := a.Issue(rand.Reader, r, morning); !errors.As(err, &limit) || limit.Limit != 30 {
		t.Errorf("%v", err)
	}
	if _, err := a.IssueAll(t.Context(), rand.Reader, Batch{Folder: filepath.Dir(r.Path), Choose: func(*Record) ([]Request,
		error) {
		return []Request{r}, nil
	}}, morning); !errors.As(err, &limit) {
		t.Errorf("%v", err)
	}
	r.Expires = today + 30
	if _, err := a.Issue(rand.Reader, r, morning); err != nil {
		t.Error(err)
	}
}

// The name is taken, and then the ledger cannot be written either: the number
// could not be declared void. The next run finds the temporary file and makes up
// for it.
func TestVoidIsMadeUpFor(t *testing.T) {
	a := domain(t)
	requests, folder := many(a, 1)
	mkdir(t, folder)
	r := requests[0]
	l, _, err := a.change(rand.Reader, morning)
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.make(rand.Reader, r, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	// Enough for the salt and the nonce of one entry, and not for another.
	once := &takeName{io.LimitReader(rand.Reader, 32+24), r.Path}
	var unwritten *NotWrittenError
	if _, err := a.write(once, l, r, data, morning); !errors.As(err, &unwritten) || unwritten.Voided {
		t.Fatalf("%v", err)
	}
	l.close()
	if issues := list(t, a); len(issues) != 1 || issues[0].Void {
		t.Fatalf("%+v", issues)
	}
	os.Remove(r.Path)
	out, err := a.IssueAll(t.Context(), rand.Reader, batch(requests, folder), morning)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Finished) != 1 {
		// What was written before the name was taken is the key.
		t.Errorf("%+v", out)
	}
	checkAll(t, a, requests, folder)
}

func TestForceReplaces(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	old := readFile(t, ask(a, "1.key").Path)
	r := ask(a, "1.key")
	r.Force = true
	out, err := a.Issue(rand.Reader, r, morning)
	if err != nil || out.Number != 2 || bytes.Equal(old, readFile(t, r.Path)) {
		t.Errorf("%+v, %v", out, err)
	}
	if issues := list(t, a); len(issues) != 2 || issues[0].Void {
		t.Errorf("%+v", issues)
	}
	// A crash before the file is replaced is made up for.
	data := begin(t, a, r)
	writeFile(t, keyfile.TempName(r.Path, a.tag(3)), data)
	if out, err = a.Issue(rand.Reader, r, morning); err != nil || !out.Finished || out.Number != 3 ||
		!bytes.Equal(data, readFile(t, r.Path)) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestProtectAndSuccessor(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	other := []byte("ripple nurse")
	if err := a.Protect(Protection{Passphrase: other, WorkFactor: 1}); err != nil {
		t.Fatal(err)
	}
	locked, err := Read(a.files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Open(password); !errors.Is(err, keyfile.ErrWrongPassphrase) {
		t.Errorf("the old passphrase: %v", err)
	}
	b, err := locked.Open(other)
	if err != nil || len(list(t, b)) != 1 {
		t.Fatal(err)
	}
	if info, err := os.Stat(a.files.Master()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A successor's copy opens with age, and in its place it is the master key.
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "NTNU.successor")
	if err := b.Successor(id.Recipient(), path); err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(readFile(t, path)), id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if want, _ := master().MarshalBinary(); err != nil || !bytes.Equal(plain, want) {
		t.Errorf("%v", err)
	}
	os.Rename(path, a.files.Master())
	if locked, err = Read(a.files); err != nil || !locked.Sealed {
		t.Fatal(locked, err)
	}
	if _, err := locked.Open(other); err == nil {
		t.Error("it opens without the identity")
	}
	if c, err := locked.OpenSealed([]age.Identity{id}); err != nil || len(list(t, c)) != 1 {
		t.Error(err)
	}
}

func TestRenewal(t *testing.T) {
	attributes := func(texts ...string) []abe.Attribute {
		as, err := abe.ParseAttributes(texts)
		if err != nil {
			t.Fatal(err)
		}
		return as
	}
	key := func(number uint64, from, expires abe.Day, change func(*Issue)) Issue {
		i := Issue{Number: number, Name: "Kari", Attributes: []string{"NTNU", "dept=Physics"}, Generation: 1, From: from,
			Expires: expires, Made: from.Start()}
		if change != nil {
			change(&i)
		}
		return i
	}
	record := &Record{Generation: 2, Limit: 100, Issues: []Issue{
		key(1, today-80, today+10, nil),
		key(2, today-90, today, nil), // lapsed
		key(3, today-80, today+10, func(i *Issue) { i.RenewedBy = 9 }),
		key(4, today-80, today+10, func(i *Issue) { i.NoRenew = true }),
		key(5, today-80, today+10, func(i *Issue) { i.Forgotten = true }),
		key(6, today-80, today+10, func(i *Issue) { i.Void = true }),
		key(7, 0, 0, func(i *Issue) { i.Torn = true }),
		key(8, today-80, today+200, nil),                            // not soon
		key(9, today, today+5, func(i *Issue) { i.Generation = 2 }), // of today
		key(10, today, today+5, nil),                                // of today, and of an old generation
	}}
	numbers := func(n Renewal) (found []uint64) {
		requests, err := n.Choose(record)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			found = append(found, r.Renews)
		}
		return found
	}
	if got := numbers(Renewal{Until: today + 14, Today: today}); !slices.Equal(got, []uint64{1, 10}) {
		t.Errorf("soon: %d", got)
	}
	if got := numbers(Renewal{Until: LastDay, Today: today}); !slices.Equal(got, []uint64{1, 8, 10}) {
		t.Errorf("all: %d", got)
	}
	if got := numbers(Renewal{Numbers: []uint64{2, 3, 8}, Today: today}); !slices.Equal(got, []uint64{2, 3, 8}) {
		t.Errorf("by number: %d", got)
	}
	for number, want := range map[uint64]any{0: new(*NumberError), 4: new(*NoRenewError), 5: new(*ForgottenError),
		6: new(*NumberError), 7: new(*NumberError), 99: new(*NumberError)} {
		n := Renewal{Numbers: []uint64{number}, Today: today}
		if _, err := n.Choose(record); !errors.As(err, want) {
			t.Errorf("%d: %v", number, err)
		}
	}
	// What the new key is.
	n := Renewal{Numbers: []uint64{8}, Today: today, Folder: "f", Add: attributes("dept=Chemistry", "guest"),
		Drop: attributes("NTNU")}
	requests, err := n.Choose(record)
	if err != nil {
		t.Fatal(err)
	}
	r := requests[0]
	var got []string
	for _, a := range r.Attributes {
		got = append(got, a.String())
	}
	if !slices.Equal(got, []string{"dept=Chemistry", "guest"}) || r.From != today || r.Expires != today+100 ||
		r.Path != filepath.Join("f", "kari-8.key") || r.Name != "Kari" {
		t.Errorf("%q, %+v", got, r)
	}
	var nothing *NothingLeftError
	if _, err := (&Renewal{Numbers: []uint64{8}, Today: today, Drop: attributes("NTNU", "dept=Physics")}).
		Choose(record); !errors.As(err, &nothing) {
		t.Errorf("%v", err)
	}
}

// A renewal whose file was never written does not stand in the way of the next.
func TestVoidRenewalCountsForNothing(t *testing.T) {
	a := domain(t)
	issue(t, a, "1.key")
	folder := filepath.Join(filepath.Dir(a.files.prefix), "renewed")
	mkdir(t, folder)
	later := morning.Add(time.Hour)
	n := &Renewal{Numbers: []uint64{1}, Today: today, Folder: folder}
	requests, err := n.Choose(&Record{Issues: list(t, a)})
	if err != nil {
		t.Fatal(err)
	}
	begin(t, a, requests[0]) // and the machine dies
	if got := list(t, a)[0].RenewedBy; got != 2 {
		t.Fatalf("renewed by %d", got)
	}
	out, err := a.IssueAll(t.Context(), rand.Reader, Batch{Folder: folder, Choose: n.Choose}, later)
	if err != nil || len(out.Issued) != 1 || !slices.Equal(out.Voided, []uint64{2}) {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := list(t, a)[0].RenewedBy; got != 3 {
		t.Errorf("renewed by %d", got)
	}
}
