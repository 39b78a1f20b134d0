package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
)

func (a *app) listCommand() *cobra.Command {
	var f domainFlags
	var filter listFilter
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "show who has which key, and when it lapses",
		Example: `  kms list --domain NTNU
  kms list --expiring 14d
  kms list --policy '"NTNU" and "5th year"'        who could enter such a room today
  kms list --attr "5th year" --json`,
		Args: cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			if asJSON && asCSV {
				return cli.Usage("--json and --csv exclude each other")
			}
			today := abe.DayOf(a.now())
			if err := filter.parse(today); err != nil {
				return err
			}
			_, known, err := a.openRecord(cmd, &f)
			if known == nil {
				return err
			}
			show := printTable
			switch {
			case asJSON:
				show = printLines
			case asCSV:
				show = printCSV
			}
			chosen, filterErr := filter.apply(known.Issues, today)
			if filterErr != nil {
				return filterErr
			}
			return errors.Join(show(cmd.OutOrStdout(), chosen, today), err)
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&filter.expiring, "expiring", "", "only keys that lapse within `TIME`, such as 14d")
	cmd.Flags().StringVar(&filter.attribute, "attr", "", "only keys with the attribute `A`")
	cmd.Flags().StringVar(&filter.name, "name", "", "only keys of people with `NAME` in their name")
	cmd.Flags().StringVar(&filter.policy, "policy", "", "only keys that open a room with the policy `POLICY` today")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "as a table for spreadsheets")
	return cmd
}

// listFilter chooses keys.
type listFilter struct {
	expiring, attribute, name, policy string
	until                             abe.Day
	want                              string
	opens                             *abe.Policy
}

func (f *listFilter) parse(today abe.Day) (err error) {
	if f.expiring != "" {
		if f.until, err = kms.ParseExpires(f.expiring, today); err != nil {
			return cli.Usage("--expiring: %v", err)
		}
	}
	if f.policy != "" {
		if f.opens, err = abe.ParsePolicy(f.policy); err != nil {
			return err
		}
	}
	if f.attribute != "" {
		attribute, err := abe.ParseAttribute(f.attribute)
		if err != nil {
			return err
		}
		f.want = attribute.String()
	}
	return nil
}

func (f *listFilter) apply(issues []kms.Issue, today abe.Day) (chosen []kms.Issue, err error) {
	for _, i := range issues {
		state, _ := i.StateOn(today)
		valid := state == kms.Valid || state == kms.Renew
		switch {
		case f.expiring != "" && !((valid || state == kms.Later) && i.Expires <= f.until):
		case f.want != "" && !slices.Contains(i.Attributes, f.want):
		case f.name != "" && !strings.Contains(strings.ToLower(i.Name), strings.ToLower(f.name)):
		default:
			if f.opens != nil {
				in, err := letsIn(f.opens, &i, today)
				if err != nil {
					return nil, err
				}
				if !in {
					continue
				}
			}
			chosen = append(chosen, i)
		}
	}
	return chosen, nil
}

// letsIn reports whether a room with a policy lets a key in on a day, once it has heard of
// the newest notice.
func letsIn(p *abe.Policy, i *kms.Issue, today abe.Day) (bool, error) {
	if state, _ := i.StateOn(today); state != kms.Valid && state != kms.Renew || i.Revoked {
		return false, nil
	}
	attributes, err := abe.ParseAttributes(i.Attributes)
	if err != nil {
		return false, fmt.Errorf("key %d: %w", i.Number, err)
	}
	return p.Explain(attributes, i.Generation).Satisfied, nil
}

// stateWords are what people and machines read for a state.
var stateWords = map[kms.State]struct{ machine, person string }{
	kms.Valid:   {"valid", "valid, %s"},
	kms.Renew:   {"renew", "renew, %s left"},
	kms.Later:   {"later", "valid in %s"},
	kms.Lapsed:  {"lapsed", "lapsed"},
	kms.Unknown: {"cut-short", "not known, or skipped"},
	kms.Void:    {"void", "was never made"},
}

func stateText(i kms.Issue, today abe.Day) string {
	state, days := i.StateOn(today)
	text := stateWords[state].person
	left := cli.Plural(days, "day")
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, left)
	}
	if i.Revoked && state != kms.Lapsed {
		return "revoked"
	}
	live := state == kms.Valid || state == kms.Renew || state == kms.Later
	switch {
	case live && i.RenewedBy != 0:
		return fmt.Sprintf("renewed by %d", i.RenewedBy)
	case live && i.NoRenew:
		return left + ", no renewal"
	}
	return text
}

// describeIssue is a key on record in one line.
func describeIssue(i kms.Issue) string {
	who := i.Name
	if who == "" {
		who = "nobody by name"
	}
	return fmt.Sprintf("%s, %s, %s to %s", who, cli.Attributes(i.Attributes), i.From, i.Expires)
}

func printTable(w io.Writer, issues []kms.Issue, today abe.Day) error {
	if len(issues) == 0 {
		_, err := fmt.Fprintln(w, "no such key")
		return err
	}
	t := table{{"NO", "NAME", "ATTRIBUTES", "EXPIRES", "STATE"}}
	for _, i := range issues {
		row := []string{strconv.FormatUint(i.Number, 10), nameText(i),
			dash(cli.Attributes(i.Attributes)), "-", stateText(i, today)}
		if !i.Torn {
			row[3] = i.Expires.String()
		}
		t = append(t, row)
	}
	return t.print(w)
}

// nameText is a name, or why there is none.
func nameText(i kms.Issue) string {
	if i.Forgotten {
		return "(erased)"
	}
	return dash(i.Name)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// listLine is a key on record, for machines.
type listLine struct {
	Number     uint64    `json:"no"`
	Name       string    `json:"name"`
	Recipient  string    `json:"recipient"`
	Attributes []string  `json:"attributes"`
	Generation uint32    `json:"generation"`
	Issued     time.Time `json:"issued"`
	From       string    `json:"from"`
	Expires    string    `json:"expires"`
	State      string    `json:"state"`
	Days       int       `json:"days"`
	Check      string    `json:"check"` // none: there was no request; words; unchecked
	Renews     uint64    `json:"renews,omitempty"`
	RenewedBy  uint64    `json:"renewed_by,omitempty"`
	NoRenew    bool      `json:"norenew,omitempty"`
	Because    string    `json:"because,omitempty"`
	Revoked    bool      `json:"revoked,omitempty"`
	Forgotten  bool      `json:"forgotten,omitempty"`
}

var checkWords = map[kms.Check]string{kms.NoRequest: "none", kms.Checked: "words", kms.Unchecked: "unchecked"}

func printLines(w io.Writer, issues []kms.Issue, today abe.Day) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, i := range issues {
		state, days := i.StateOn(today)
		line := listLine{i.Number, i.Name, i.Recipient, i.Attributes, i.Generation, i.Made, i.From.String(),
			i.Expires.String(), stateWords[state].machine, days,
			checkWords[i.Check], i.Renews, i.RenewedBy, i.NoRenew, i.Because, i.Revoked, i.Forgotten}
		if i.Torn {
			line.From, line.Expires = "", ""
		}
		if line.Attributes == nil {
			line.Attributes = []string{}
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// printCSV writes a table for spreadsheets, one column for all attributes.
func printCSV(w io.Writer, issues []kms.Issue, today abe.Day) error {
	t := csv.NewWriter(w)
	t.Write([]string{"number", "name", "attributes", "issued", "expires", "state", "recipient"})
	for _, i := range issues {
		state, _ := i.StateOn(today)
		expires := i.Expires.String()
		if i.Torn {
			expires = ""
		}
		t.Write([]string{strconv.FormatUint(i.Number, 10), cell(i.Name), cell(strings.Join(i.Attributes, ", ")),
			abe.DayOf(i.Made).String(), expires, stateWords[state].machine, i.Recipient})
	}
	t.Flush()
	return t.Error()
}
