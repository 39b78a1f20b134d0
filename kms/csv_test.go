package kms

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func sheet(text string) *Sheet {
	return &Sheet{Data: []byte(text), Out: "keys", From: today, Expires: "90d", Fingerprint: "4f1c-9ab2-77d0-e31a"}
}

// TestCSV: whatever a spreadsheet writes, the rows are the same.
func TestCSV(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const plain = "name,recipient,attr,attr,dept,expires\n" +
		"\"Berg, Ann\",RECIPIENT,NTNU,5th year,\"Physics \"\"X\"\", etc.\",30d\n" +
		"Per,,NTNU,,,\n"
	want := func(rows []Row) string {
		var b strings.Builder
		for _, r := range rows {
			fmt.Fprintf(&b, "%d %q %d %v %s %s\n", r.Line, r.Name, len(r.To), r.Attributes, r.Expires, r.Path)
		}
		return b.String()
	}
	var first string // but for the numbers of lines, which are one more where a line is before
	for _, c := range []struct{ name, text string }{
		{"commas", plain},
		{"mark", "\ufeff" + plain},
		{"line ends", strings.ReplaceAll(plain, "\n", "\r\n")},
		{"semicolons", "name;recipient;attr;attr;dept;expires\n\"Berg, Ann\";RECIPIENT;NTNU;5th year;\"Physics \"\"X\"\", " +
			"etc.\";30d\nPer;;NTNU;;;\n"},
		{"tabs", "name\trecipient\tattr\tattr\tdept\texpires\nBerg, Ann\tRECIPIENT\tNTNU\t5th year\t\"Physics \"\"X\"\", " +
			"etc.\"\t30d\nPer\t\tNTNU\t\t\t\n"},
		{"Excel's first line", "sep=;\r\n" + "name;recipient;attr;attr;dept;expires\n" +
			"\"Berg, Ann\";RECIPIENT;NTNU;5th year;\"Physics \"\"X\"\", etc.\";30d\nPer;;NTNU;;;\n"},
		{"the same in quotes", "\ufeff\"sep=,\"\n" + plain},
		{"the same with a tab", "sep=\t\nname\trecipient\tattr\tattr\tdept\texpires\n" +
			"Berg, Ann\tRECIPIENT\tNTNU\t5th year\t\"Physics \"\"X\"\", etc.\"\t30d\nPer\t\tNTNU\t\t\t\n"},
		{"upper case", strings.Replace(plain, "name,recipient,attr,attr", "Name,RECIPIENT,Attr,ATTR", 1)},
		{"no end", strings.TrimSuffix(plain, "\n")},
		{"short rows", strings.Replace(plain, "NTNU,,,\n", "NTNU\n", 1)},
		{"empty cells beyond", strings.ReplaceAll(plain, "\n", ",,,\n")},
		{"spaces", "name, recipient , attr,attr,dept, expires\n \"Berg, Ann\", RECIPIENT , NTNU , 5th year , \"Physics " +
			"\"\"X\"\", etc.\", 30d \n Per , , NTNU , , , \n"},
	} {
		text := strings.ReplaceAll(c.text, "RECIPIENT", id.Recipient().String())
		text = strings.Replace(text, id.Recipient().String()+",Attr", "RECIPIENT,Attr", 1)
		rows, err := sheet(text).Rows()
		if err != nil {
			var bad *SheetError
			errors.As(err, &bad)
			t.Errorf("%s: %v %+v", c.name, err, bad)
			continue
		}
		if strings.Contains(c.text, "sep=") {
			for i := range rows {
				rows[i].Line--
			}
		}
		got := want(rows)
		if first == "" {
			first = got
			if !strings.Contains(got, `2 "Berg, Ann" 62 [`) || !strings.Contains(got, "berg-ann.key") ||
				!strings.Contains(got, `dept="Physics \"X\", etc."`) {
				t.Errorf("%s", got)
			}
		}
		if got != first {
			t.Errorf("%s:\n%swant\n%s", c.name, got, first)
		}
	}
}

func TestManyRows(t *testing.T) {
	var b strings.Builder
	b.WriteString("name,recipient,attr\n")
	const rows = 10_000
	for i := range rows {
		fmt.Fprintf(&b, "Member %d,,NTNU\n", i%9000) // some share a name
	}
	got, err := sheet(b.String()).Rows()
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	paths := make(map[string]bool)
	for _, r := range got {
		if paths[r.Path] || filepath.Dir(r.Path) != "keys" {
			t.Fatalf("%s twice, or elsewhere", r.Path)
		}
		paths[r.Path] = true
	}
}

func TestBadSheets(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "line 1: there are no rows",
		"name,recipient,attr\n": "line 1: there are no rows",
		"name,attr\nx,y\n": "line 1: no column is called recipient; the first line names the " +
			"columns: name,recipient,attr,...",
		"name,recipient,dept,dept\nx,,a,b\n":     `line 1, column "dept": there are two of that name`,
		"recipient,generation\n,2\n":             `line 1, column "generation": generation is reserved; the authority sets it in every key`,
		"recipient,,attr\n,x,y\n":                "line 1: column 2 has no name",
		"recipient,age\n,023\n":                  `line 2, column "age": "023": 023 has a leading zero`,
		"recipient,attr\n,a\"b\n":                "line 2: a quote is not where it belongs",
		"recipient,attr\n,\xff\n":                "line 2: it is not UTF-8 text; save it as CSV UTF-8",
		"\xff\xfer\x00e\x00":                     "line 1: it is UTF-16 text; save it as CSV UTF-8",
		"name,recipient,attr\na\x1b[2J,,NTNU\n":  `line 2, column "name": not a usable name: the character U+001B in it cannot be printed`,
		"recipient,attr\n\\\\host\\x,NTNU\n":     `line 2, column "recipient": a file on another computer: "\\\\host\\x"; copy it here`,
		"recipient,attr,attr\n,NTNU,NTNU\n":      `line 2: NTNU is given twice`,
		"recipient,attr\n,a\u202eb\n":            `line 2, column "attr": "a\u202eb": the character U+202E cannot be used in a name`,
		"recipient,attr,code\nage1x,NTNU,lamp\n": `line 2, column "recipient": not an age recipient: "age1x…" (5 characters, 57 are missing)`,
	} {
		_, err := sheet(text).Rows()
		var bad *SheetError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := bad.Problems[0].Where() + " " + bad.Problems[0].Text; got != want {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
	limited := sheet("recipient,attr\n,NTNU\n")
	limited.Limit = 30
	if _, err := limited.Rows(); err == nil {
		t.Error("a row longer than the domain's limit was taken")
	}
}

// Nothing that strangers put into a table makes the reader fail otherwise than
// by saying so, and no row leaves the folder.
func FuzzSheet(f *testing.F) {
	f.Add([]byte("name,recipient,attr,dept,expires,code\nAnn,,NTNU,Physics,30d,\n"))
	f.Add([]byte("\ufeffname;recipient\n\"a\";\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := sheet(string(b))
		s.Folder = t.TempDir()
		rows, err := s.Rows()
		var bad *SheetError
		if err != nil && !errors.As(err, &bad) {
			t.Error(err)
		}
		for _, r := range rows {
			if filepath.Dir(r.Path) != "keys" || r.Expires <= r.From || len(r.Attributes) == 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}
