package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
)

func (a *app) calendarCommand() *cobra.Command {
	var f domainFlags
	var output string
	cmd := &cobra.Command{
		Use:   "calendar",
		Short: "write the days on which keys lapse, for your calendar",
		Example: `  kms calendar -o expiries.ics
  kms calendar --domain NTNU > expiries.ics`,
		Args: cli.Args(),
		RunE: a.withReminder(func(cmd *cobra.Command, _ []string) error {
			authority, known, err := a.openRecord(cmd, &f)
			if known == nil {
				return err
			}
			text := a.calendar(authority.Domain(), known.Issues)
			if output == "" {
				_, err := io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			// It has names in it. A newer calendar replaces the older one.
			old, err := keyfile.ReadPublic(output)
			if err == nil && !bytes.HasPrefix(old, []byte(calendarHead)) {
				return cli.Fail("exists", "%s exists and is no calendar of keys", output).
					Hint("choose another name, or move that file away")
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := keyfile.Replace(output, []byte(text), 0o600); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s: %s. It has names in it.\n", cli.Clean(output),
				cli.Plural(strings.Count(text, "BEGIN:VEVENT"), "day"))
			return err
		}),
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` (default: standard output)")
	return cmd
}

// calendarHead begins the calendars that are made here.
const calendarHead = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//coterie//kms//EN\r\n"

// calendar is an iCalendar (RFC 5545) with an event on each day on which keys
// lapse that nobody has renewed, and an alarm two weeks before. The events keep
// their identifiers, so that importing it again changes them.
func (a *app) calendar(domain *abe.Domain, issues []kms.Issue) string {
	days := make(map[abe.Day][]kms.Issue)
	for _, i := range liveKeys(issues, abe.DayOf(a.now())) {
		if !i.NoRenew {
			days[i.Expires] = append(days[i.Expires], i)
		}
	}
	var sorted []abe.Day
	for day := range days {
		sorted = append(sorted, day)
	}
	slices.Sort(sorted)
	var b strings.Builder
	line := func(name, text string) { b.WriteString(foldLine(name + ":" + text)) }
	b.WriteString(calendarHead)
	for _, day := range sorted {
		keys := days[day]
		var names []string
		for _, k := range keys {
			name := k.Name
			if name == "" {
				name = "nobody by name"
			}
			names = append(names, fmt.Sprintf("%d %s", k.Number, name))
		}
		line("BEGIN", "VEVENT")
		line("UID", fmt.Sprintf("%s-%s@kms.coterie", day, strings.ReplaceAll(domain.Fingerprint(), "-", "")))
		line("DTSTAMP", a.now().UTC().Format("20060102T150405Z"))
		line("DTSTART;VALUE=DATE", day.Start().Format("20060102"))
		line("SUMMARY", calendarText(fmt.Sprintf("%s of %s lapse", plural(len(keys), "key", "keys"), domain.Name())))
		line("DESCRIPTION", calendarText(strings.Join(names, "\n")))
		line("TRANSP", "TRANSPARENT")
		line("BEGIN", "VALARM")
		line("ACTION", "DISPLAY")
		line("DESCRIPTION", calendarText("kms renew --expiring 14d -o renewed/"))
		line("TRIGGER", "-P14D")
		line("END", "VALARM")
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return b.String()
}

var calendarEscape = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

func calendarText(s string) string { return calendarEscape.Replace(s) }

// foldLine breaks a line after at most 75 bytes, between characters, as RFC 5545
// §3.1 has it.
func foldLine(s string) string {
	const longest = 75
	var b strings.Builder
	room := longest
	for _, r := range s {
		if n := utf8.RuneLen(r); n > room {
			b.WriteString("\r\n ")
			room = longest - 1
		}
		b.WriteRune(r)
		room -= utf8.RuneLen(r)
	}
	return b.String() + "\r\n"
}
