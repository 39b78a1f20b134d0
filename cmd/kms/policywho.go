package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
)

// policyWho says from the record whose keys a policy lets in today; or, of a policy in
// place of another, whose it no longer does and whose it does now.
func (a *app) policyWho(cmd *cobra.Command, expr string, f policyFlags) error {
	p, err := abe.ParsePolicy(expr)
	if err != nil {
		return err
	}
	var was *abe.Policy
	if f.was != "" {
		if was, err = abe.ParsePolicy(f.was); err != nil {
			return err
		}
	}
	domain := &domainFlags{domain: f.domain, passphraseFile: f.passphraseFile, identity: f.identity}
	_, known, torn := a.openRecord(cmd, domain)
	if known == nil {
		return torn
	}
	today := abe.DayOf(a.now())
	var in, out, anew []kms.Issue
	for _, i := range known.Issues {
		now, err := letsIn(p, &i, today)
		if err != nil {
			return err
		}
		before := now
		if was != nil {
			if before, err = letsIn(was, &i, today); err != nil {
				return err
			}
		}
		switch {
		case now && before:
			in = append(in, i)
		case now:
			anew = append(anew, i)
		case before:
			out = append(out, i)
		}
	}
	if err := printPolicy(cmd.OutOrStdout(), p); err != nil {
		return err
	}
	warnUnissued(cmd.ErrOrStderr(), p, known)
	show := func(issues []kms.Issue, what string) error {
		// A holder whose key was renewed has two; the state says so.
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "\n%s %s\n", cli.Plural(len(issues), "key"), what); err != nil {
			return err
		}
		if len(issues) == 0 {
			return nil
		}
		return printTable(cmd.OutOrStdout(), issues, today)
	}
	if was == nil {
		return errors.Join(show(in, "on record today that it lets in"), torn)
	}
	return errors.Join(
		show(out, "that got in and no longer would"),
		show(anew, "that did not get in and now would"),
		show(in, "that would go on getting in"), torn)
}
