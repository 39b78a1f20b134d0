package kms

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
	"coterie/kms/words"
)

// Sheet is a table of members, one a line after the first, as spreadsheets write
// it: with commas, semicolons or tabs, with or without a byte order mark. The
// columns name, recipient, code and expires are what they say; each column called
// attr holds a bare attribute; every other is a named attribute, called after the
// column. An empty cell is nothing.
type Sheet struct {
	Data    []byte
	Folder  string  // where the paths of requests begin
	Out     string  // where the keys go
	From    abe.Day // the first day of the keys
	Expires string  // of rows that do not say
	Limit   int     // of the domain, in days; 0: none
	// Fingerprint is the domain's: requests must be for it.
	Fingerprint string
}

// maxRows bounds a sheet: each row is a key to make.
const maxRows = 100_000

// Row is a line of a sheet: a key to issue.
type Row struct {
	Line int // from 1, as an editor counts
	Request
	// NoDomain is its request, if that does not say for which domain it is.
	NoDomain string
}

// Problem is what is wrong with a line of a sheet.
type Problem struct {
	Line   int
	Column string // empty: the line as a whole
	Part   string // of the line, where it is no cell
	Text   string // may hold anything
}

// Where says which cell it is.
func (p Problem) Where() string {
	switch {
	case p.Part != "":
		return fmt.Sprintf("line %d, %s:", p.Line, p.Part)
	case p.Column == "":
		return fmt.Sprintf("line %d:", p.Line)
	}
	return fmt.Sprintf("line %d, column %q:", p.Line, p.Column)
}

// SheetError is all that is wrong with a sheet.
type SheetError struct{ Problems []Problem }

func (e *SheetError) Error() string { return fmt.Sprintf("%d problems", len(e.Problems)) }

// sheetReader reads one sheet.
type sheetReader struct {
	*Sheet
	columns  []string
	rows     []Row
	problems []Problem
	seen     map[string]Row  // recipients
	files    map[string]bool // names that were given
}

func (s *sheetReader) fail(line int, column, format string, a ...any) {
	s.problems = append(s.problems, Problem{Line: line, Column: column, Text: fmt.Sprintf(format, a...)})
}

// Rows reads and checks all rows. Its error is a *SheetError.
func (s *Sheet) Rows() ([]Row, error) {
	r := &sheetReader{Sheet: s, seen: make(map[string]Row), files: make(map[string]bool)}
	r.read()
	if len(r.problems) == 0 && len(r.rows) == 0 {
		r.fail(1, "", "there are no rows")
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &SheetError{r.problems}
	}
	return r.rows, nil
}

func (s *sheetReader) read() {
	data := bytes.TrimPrefix(s.Data, []byte("\ufeff"))
	switch {
	case keyfile.KindOf(data) == keyfile.UTF16:
		s.fail(1, "", "it is UTF-16 text; save it as CSV UTF-8")
		return
	case !utf8.Valid(data):
		line := 1
		for l := range bytes.Lines(data) {
			if !utf8.Valid(l) {
				break
			}
			line++
		}
		s.fail(line, "", "it is not UTF-8 text; save it as CSV UTF-8")
		return
	}
	data, comma := cutSeparator(data)
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma = comma
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = r.Comma != '\t'
	for n := 0; ; n++ {
		cells, err := r.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &parse):
			s.fail(parse.Line, "", "a quote is not where it belongs")
			return
		case err != nil:
			s.fail(1, "", "%v", err)
			return
		}
		line, _ := r.FieldPos(0)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case n == 0:
			s.head(line, cells)
			if len(s.problems) > 0 {
				return
			}
		case n > maxRows:
			s.fail(line, "", "there are more than %d rows", maxRows)
			return
		case strings.Join(cells, "") != "":
			s.row(line, cells)
		}
	}
}

// cutSeparator takes away the line sep=; with which Excel begins a table, and returns the
// separator. An empty line is in its place, so that lines keep their numbers.
func cutSeparator(data []byte) ([]byte, rune) {
	line, rest, more := bytes.Cut(data, []byte("\n"))
	said := strings.Trim(strings.TrimSpace(string(line)), `"`)
	if sep, ok := strings.CutPrefix(strings.ToLower(said), "sep="); ok && more && len(sep) <= 1 {
		switch {
		case sep == "" && strings.Contains(string(line), "\t"), sep == "\t":
			return append([]byte("\n"), rest...), '\t'
		case sep == "," || sep == ";":
			return append([]byte("\n"), rest...), rune(sep[0])
		}
	}
	return data, separator(data)
}

// separator is the one that the first line has most of, outside quotes.
func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	count := make(map[rune]int)
	quoted := false
	for _, r := range string(line) {
		if r == '"' {
			quoted = !quoted
		} else if !quoted {
			count[r]++
		}
	}
	best := ','
	for _, r := range []rune{';', '\t'} {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}

// The columns that are no attributes, and attr.
var ownColumns = []string{"name", "recipient", "code", "expires", "attr"}

func (s *sheetReader) head(line int, cells []string) {
	for i, cell := range cells {
		if own := strings.ToLower(cell); slices.Contains(ownColumns, own) {
			cell = own
		}
		if cell == "" && i < len(cells)-1 && strings.Join(cells[i:], "") != "" {
			s.fail(line, "", "column %d has no name", i+1)
		}
		if cell != "attr" && cell != "" && slices.Contains(s.columns, cell) {
			s.fail(line, cell, "there are two of that name")
		}
		if cell != "" && !slices.Contains(ownColumns, cell) {
			if _, err := abe.ParseAttribute((abe.Attribute{Name: cell, Value: "x", Named: true}).String()); err != nil {
				s.fail(line, cell, "%v", bareReason(err))
			} else if strings.EqualFold(cell, "generation") {
				s.fail(line, cell, "generation is reserved; the authority sets it in every key")
			}
		}
		s.columns = append(s.columns, cell)
	}
	if !slices.Contains(s.columns, "recipient") {
		s.fail(line, "", "no column is called recipient; the first line names the columns: name,recipient,attr,...")
	}
}

func (s *sheetReader) row(line int, cells []string) {
	if len(cells) > len(s.columns) && strings.Join(cells[len(s.columns):], "") != "" {
		s.fail(line, "", "it has %d cells, the first line only %d", len(cells), len(s.columns))
		return
	}
	before := len(s.problems)
	row := Row{Line: line, Request: Request{From: s.From}}
	own := make(map[string]string)
	var attributes []string
	for i, cell := range cells[:min(len(cells), len(s.columns))] {
		column := s.columns[i]
		switch {
		case cell == "":
		case column == "":
			s.fail(line, "", "column %d has no name", i+1)
		case column == "attr", !slices.Contains(ownColumns, column):
			if a, err := cellAttribute(column, cell); err != nil {
				s.fail(line, column, "%q: %v", clipCell(cell), bareReason(err))
			} else {
				attributes = append(attributes, a.String())
			}
		default:
			own[column] = cell
		}
	}
	row.Name = own["name"]
	if err := request.CheckName(row.Name); err != nil {
		s.fail(line, "name", "%v", err)
	}
	asked := s.recipient(&row, own["recipient"])
	s.code(&row, asked, own["code"])
	expires := own["expires"]
	if expires == "" {
		expires = s.Expires
	}
	s.expires(&row, expires)
	if len(attributes) == 0 && asked != nil {
		for _, a := range asked.Want {
			attributes = append(attributes, a.String())
		}
	}
	if len(attributes) == 0 && len(s.problems) == before {
		s.fail(line, "", "it has no attribute")
	}
	var err error
	if row.Attributes, err = abe.ParseAttributes(attributes); err != nil && len(s.problems) == before {
		s.fail(line, "", "%v", bareReason(err))
	}
	s.path(&row)
	s.rows = append(s.rows, row)
}

// cellAttribute is what a cell of a column says.
func cellAttribute(column, cell string) (abe.Attribute, error) {
	if column == "attr" {
		a, err := abe.ParseAttribute(cell)
		if err == nil && a.Named {
			return a, fmt.Errorf("a named attribute; it wants a column called %s", a.Name)
		}
		return a, err
	}
	a := abe.Attribute{Name: column, Value: cell, Named: true}
	if strings.Trim(cell, "0123456789") == "" {
		// As it stands, so that 023 is refused and not taken for a text.
		name := (abe.Attribute{Name: column}).String()
		return abe.ParseAttribute(name + "=" + cell)
	}
	return abe.ParseAttribute(a.String())
}

// bareReason takes off an error what the place of the cell says already.
func bareReason(err error) string { return strings.TrimPrefix(err.Error(), "attribute: ") }

// clipCell shortens a cell for a message.
func clipCell(s string) string {
	const most = 8
	if r := []rune(s); len(r) > 4*most {
		return string(r[:most]) + "…"
	}
	return s
}

// recipient reads the cell of that name: an age recipient, or the path of a
// request, which is returned.
func (s *sheetReader) recipient(row *Row, cell string) *request.Request {
	const column = "recipient"
	var asked *request.Request
	switch upper := strings.ToUpper(cell); {
	case cell == "":
		return nil
	case strings.HasPrefix(upper, "AGE-SECRET-KEY-"):
		// Nothing of it is repeated.
		s.fail(row.Line, column, "this is the secret half of somebody's identity; the recipient begins with age1")
		return nil
	case strings.HasPrefix(cell, "age1"):
		if _, err := keyfile.ParseRecipient(cell); err != nil {
			s.fail(row.Line, column, "not an age recipient: %q (%s)", cell[:min(8, len(cell))]+"…", wrongLength(cell))
			return nil
		}
		row.To = cell
	case strings.HasPrefix(cell, `\\`), strings.HasPrefix(cell, "//"):
		// Windows would log in there.
		s.fail(row.Line, column, "a file on another computer: %q; copy it here", clipCell(cell))
		return nil
	default:
		path := cell
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.Folder, path)
		}
		var err error
		asked, err = request.Load(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.fail(row.Line, column, "neither an age recipient nor a file: %q", clipCell(cell))
			return nil
		case err != nil:
			s.fail(row.Line, column, "%v", err)
			return nil
		case !asked.IsFor(s.Fingerprint):
			s.fail(row.Line, column, "%s asks another domain", cell)
			return nil
		case row.Name != "" && asked.Name != "" && row.Name != asked.Name:
			s.fail(row.Line, column, "%s is the request of %s", cell, asked.Name)
		}
		if row.To = asked.Recipient; asked.Domain == "" {
			row.NoDomain = cell
		}
		if row.Name == "" {
			row.Name = asked.Name
		}
	}
	if other, ok := s.seen[row.To]; ok {
		who := ""
		if other.Name != "" {
			who = " (" + other.Name + ")"
		}
		s.problems = append(s.problems, Problem{Line: row.Line, Part: "name",
			Text: fmt.Sprintf("the same recipient as line %d%s", other.Line, who)})
	}
	s.seen[row.To] = *row
	return asked
}

// x25519Letters is the length of an X25519 recipient.
const x25519Letters = 62

func wrongLength(s string) string {
	switch n := utf8.RuneCountInString(s) - x25519Letters; {
	case strings.HasPrefix(s, "age1pq1"), n > 100:
		return fmt.Sprintf("%d characters", n+x25519Letters)
	case n == -1:
		return "61 characters, one is missing"
	case n < 0:
		return fmt.Sprintf("%d characters, %d are missing", n+x25519Letters, -n)
	case n == 1:
		return "63 characters, one too many"
	case n > 1:
		return fmt.Sprintf("%d characters, %d too many", n+x25519Letters, n)
	}
	return "a letter is wrong"
}

func (s *sheetReader) code(row *Row, asked *request.Request, cell string) {
	const column = "code"
	if asked == nil {
		if cell != "" && row.To != "" {
			s.fail(row.Line, column, "a code belongs to a request, and this is a recipient")
		}
		return
	}
	row.Check = Unchecked
	if cell == "" {
		return
	}
	typed, err := words.Normal(cell)
	if err != nil {
		s.fail(row.Line, column, "%v", err)
		return
	}
	code, err := asked.Code()
	if err != nil || typed != code {
		s.fail(row.Line, column, "these are not the words of the request; do not issue")
		return
	}
	row.Check = Checked
}

func (s *sheetReader) expires(row *Row, cell string) {
	var err error
	if row.Expires, err = ParseExpires(cell, s.From); err != nil {
		if errors.Is(err, errNotTime) {
			err = fmt.Errorf("%q; write 2026-12-31 or 90d", clipCell(cell))
		}
		s.fail(row.Line, "expires", "%v", err)
		return
	}
	if days := int(row.Expires - row.From); s.Limit != 0 && days > s.Limit {
		s.fail(row.Line, "expires", "%v", &LimitError{uint32(days), uint32(s.Limit)})
	}
}

// path calls the key file after the person; who has the name of another gets a
// number with it.
func (s *sheetReader) path(row *Row) {
	base := request.FileName(row.Name)
	name := base
	for n := 2; s.files[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	s.files[name] = true
	row.Path = filepath.Join(s.Out, name+".key")
}
