package main

import (
	"errors"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
)

// explain turns the errors of package kms into those of the catalogue; the
// others are cli.Describe's.
func explain(err error) error {
	var (
		known      *cli.Error
		line       *kms.LedgerError
		torn       *kms.TornError
		unwritten  *kms.NotWrittenError
		unfinished *kms.UnfinishedError
		missing    *keyfile.NotExistError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &unwritten):
		e := cli.Fail("not-written", "key %d is in the ledger, but its file is not there: %v", unwritten.Number, unwritten.Err)
		if unwritten.Voided {
			return e.Hint("the ledger has the number as void; mend the cause and issue again: it will be another number").Because(err)
		}
		return e.Hint("the ledger has it as issued, but nobody has it; mend the cause and issue again: it will be another number").Because(err)
	case errors.As(err, &unfinished):
		return cli.Fail("unfinished", "%v", unfinished).
			Detail("that key  "+describeIssue(unfinished.Key)).
			Hint("to use it:      mv -n %s %s", cli.Quote(unfinished.Temp), cli.Quote(unfinished.Path)).
			Hint("to give it up:  rm %s", cli.Quote(unfinished.Temp)).Because(err)
	case errors.As(err, &line):
		return cli.Fail("ledger-damaged", "%v", line).
			Hint("nothing was issued; put back a good copy of %s", cli.Quote(line.Path)).Because(err)
	case errors.As(err, &torn):
		return cli.Fail("ledger-torn", "%v, as by a crash while it was written", torn).
			Hint("its key was never written; the next kms issue puts that on record and goes on").Because(err)
	case errors.Is(err, kms.ErrMasterMissing):
		return cli.Fail("master-missing", "%s; the domain's public parameters alone cannot issue", missingFile(err)).
			Hint("run where the master key is").Because(err)
	case errors.Is(err, kms.ErrLedgerMissing):
		return cli.Fail("ledger-missing", "%s; without it a number could be given twice", missingFile(err)).
			Hint("put it back beside the master key").Because(err)
	case errors.Is(err, kms.ErrForeignLedger), errors.Is(err, kms.ErrForeignDomain):
		return cli.Fail("wrong-domain", "%v", err).Hint("the three files of a domain belong together; put back the right one").Because(err)
	case errors.Is(err, kms.ErrName):
		e := cli.Usage("%v", err)
		return e.Because(err)
	case errors.As(err, &missing) && strings.HasSuffix(missing.Path, ".master") && len(missing.Near) == 0:
		return cli.Describe(err).Hint("--domain wants the name that the domain's files begin with; kms init makes a domain")
	}
	return err
}

// missingFile says of which file err is about that it is not here.
func missingFile(err error) string {
	text := err.Error()
	for _, sentinel := range []error{kms.ErrMasterMissing, kms.ErrLedgerMissing} {
		if path, ok := strings.CutSuffix(text, ": "+sentinel.Error()); ok {
			return path + " is not here"
		}
	}
	return text
}
