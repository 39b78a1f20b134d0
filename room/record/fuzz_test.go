package record

import (
	"bytes"
	"slices"
	"testing"
)

// fuzz is the one property of every decoder: it does not panic, and what it
// takes is encoded as it was. Seeds are in testdata/fuzz and made here.
func fuzz(f *testing.F, name string) {
	form := formatNamed(f, name)
	for _, b := range form.good {
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(append(slices.Clone(b), 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		got, err := form.again(b)
		if err == nil && !bytes.Equal(got, before) {
			t.Fatalf("%x is encoded again as %x", before, got)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the input was written to")
		}
	})
}

func FuzzParseJoin(f *testing.F)       { fuzz(f, "join") }
func FuzzParseMessage(f *testing.F)    { fuzz(f, "message") }
func FuzzParseContent(f *testing.F)    { fuzz(f, "content") }
func FuzzParseLog(f *testing.F)        { fuzz(f, "log") }
func FuzzParseHello(f *testing.F)      { fuzz(f, "hello") }
func FuzzParseAsk(f *testing.F)        { fuzz(f, "ask") }
func FuzzParseHave(f *testing.F)       { fuzz(f, "have") }
func FuzzParseQuestion(f *testing.F)   { fuzz(f, "question") }
func FuzzParseTranscript(f *testing.F) { fuzz(f, "transcript") }
func FuzzParseTerms(f *testing.F)      { fuzz(f, "terms") }
func FuzzParseFields(f *testing.F)     { fuzz(f, "fields") }
func FuzzParseBeat(f *testing.F)       { fuzz(f, "beat") }
func FuzzParseAnswer(f *testing.F)     { fuzz(f, "answer") }
func FuzzParseOutside(f *testing.F)    { fuzz(f, "outside") }
func FuzzParseFetch(f *testing.F)      { fuzz(f, "fetch") }
func FuzzParseReply(f *testing.F)      { fuzz(f, "reply") }
func FuzzParseWant(f *testing.F)       { fuzz(f, "want") }
func FuzzParseSecret(f *testing.F)     { fuzz(f, "secret") }

// FuzzParseRecord is about everything that stands in the set.
func FuzzParseRecord(f *testing.F) {
	for _, form := range recordFormats() {
		for _, b := range form.good {
			if form.isRecord() {
				f.Add(append([]byte{form.typ}, b...))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if r != nil {
				t.Fatal("a record and an error")
			}
			return
		}
		if again := Encode(r); !bytes.Equal(again, b) {
			t.Fatalf("%x is encoded again as %x", b, again)
		}
		r.ID()
		switch r := r.(type) {
		case *Contribution:
			r.ComputeID(testRoom)
			r.Verify(testRoom)
		case *Presence:
			r.Verify(testRoom) // its working key was never checked
		case *Name:
			r.Verify(testRoom)
		case *Commit:
			if list, _, err := r.Rebuild(nil, nil); err == nil {
				whole := r.Whole(list, nil).Append(nil)
				if again, err := ParseCommit(whole); err != nil || again.ID() != r.ID() {
					t.Fatalf("whole, it is no commit or another: %v", err)
				}
			}
		}
	})
}
