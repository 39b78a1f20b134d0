package main

import (
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
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --domain NAME",
		Short: "list the keys that were issued, and when they lapse",
		Example: `  kms list --domain NTNU
  kms list --domain NTNU --expiring 14d
  kms list --domain NTNU --attr "5th year" --json`,
		Args: cli.Args(),
		RunE: told(func(cmd *cobra.Command, _ []string) error {
			today := abe.DayOf(a.now())
			if err := filter.parse(today); err != nil {
				return err
			}
			authority, err := f.open()
			if err != nil {
				return err
			}
			issues, err := authority.List()
			// A ledger whose last line is cut short is worth seeing all the same.
			var torn *kms.TornError
			if err != nil && !errors.As(err, &torn) {
				return err
			}
			show := printTable
			if asJSON {
				show = printLines
			}
			return errors.Join(show(cmd.OutOrStdout(), filter.apply(issues, today), today), err)
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&filter.expiring, "expiring", "", "only keys that lapse within `TIME`, such as 14d")
	cmd.Flags().StringVar(&filter.attribute, "attr", "", "only keys with the attribute `A`")
	cmd.Flags().StringVar(&filter.name, "name", "", "only keys of people with `NAME` in their name")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// listFilter chooses keys.
type listFilter struct {
	expiring, attribute, name string
	until                     abe.Day
	want                      string
}

func (f *listFilter) parse(today abe.Day) (err error) {
	if f.expiring != "" {
		if f.until, err = kms.ParseExpires(f.expiring, today); err != nil {
			return cli.Usage("--expiring: %v", err)
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

func (f *listFilter) apply(issues []kms.Issue, today abe.Day) (chosen []kms.Issue) {
	for _, i := range issues {
		state, _ := i.StateOn(today)
		live := state == kms.Valid || state == kms.Renew || state == kms.Later
		switch {
		case f.expiring != "" && !(live && i.Expires <= f.until):
		case f.want != "" && !slices.Contains(i.Attributes, f.want):
		case f.name != "" && !strings.Contains(strings.ToLower(i.Name), strings.ToLower(f.name)):
		default:
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// stateWords are what people and machines read for a state.
var stateWords = map[kms.State]struct{ machine, person string }{
	kms.Valid:   {"valid", "valid, %d d"},
	kms.Renew:   {"renew", "renew (%d d)"},
	kms.Later:   {"later", "valid in %d d"},
	kms.Lapsed:  {"lapsed", "lapsed"},
	kms.Unknown: {"cut-short", "record cut short"},
	kms.Void:    {"void", "void: never written"},
}

func stateText(i kms.Issue, today abe.Day) string {
	state, days := i.StateOn(today)
	text := stateWords[state].person
	if strings.Contains(text, "%d") {
		return fmt.Sprintf(text, days)
	}
	return text
}

// describeIssue is a key on record in one line.
func describeIssue(i kms.Issue) string {
	who := i.Name
	if who == "" {
		who = "nobody by name"
	}
	return fmt.Sprintf("%s, %s, %s to %s", who, strings.Join(i.Attributes, ", "), i.From, i.Expires)
}

func printTable(w io.Writer, issues []kms.Issue, today abe.Day) error {
	if len(issues) == 0 {
		_, err := fmt.Fprintln(w, "no such key")
		return err
	}
	t := table{{"NO", "NAME", "ATTRIBUTES", "ISSUED", "EXPIRES", "STATE"}}
	for _, i := range issues {
		row := []string{strconv.FormatUint(i.Number, 10), dash(i.Name), dash(strings.Join(i.Attributes, ", ")), abe.DayOf(i.Made).String(), "-", stateText(i, today)}
		if !i.Torn {
			row[4] = i.Expires.String()
		}
		t = append(t, row)
	}
	return t.print(w)
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
}

func printLines(w io.Writer, issues []kms.Issue, today abe.Day) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, i := range issues {
		state, days := i.StateOn(today)
		line := listLine{i.Number, i.Name, i.Recipient, i.Attributes, i.Generation, i.Made, i.From.String(), i.Expires.String(), stateWords[state].machine, days}
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
