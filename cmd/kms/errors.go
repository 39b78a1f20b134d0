package main

import (
	"errors"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/kms"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// explain turns the errors of package kms into those for people; the
// others are cli.Describe's.
func explain(err error) error {
	var (
		known      *cli.Error
		line       *kms.LedgerError
		torn       *kms.TornError
		unwritten  *kms.NotWrittenError
		unfinished *kms.UnfinishedError
		missing    *keyfile.NotExistError
		clock      *kms.ClockError
		limit      *kms.LimitError
		number     *kms.NumberError
		norenew    *kms.NoRenewError
		forgotten  *kms.ForgottenError
		revoked    *kms.RevokedError
		nothing    *kms.NothingLeftError
		longer     *kms.DamagedLongerError
		diverged   *kms.DivergedError
		ahead      *kms.AheadError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &unwritten):
		e := cli.Fail("not-written", "key %d is in the ledger, but its file is not there: %v", unwritten.Number,
			unwritten.Err)
		if unwritten.Voided {
			return e.Hint("the ledger has the number as void; mend the cause and issue again: it will be another number").
				Because(err)
		}
		return e.Hint("the ledger has it as issued, but nobody has it; mend the cause and issue again: it will be another " +
			"number").Because(err)
	case errors.As(err, &unfinished):
		return cli.Fail("unfinished", "%v", unfinished).
			Detail("that key  "+describeIssue(unfinished.Key)).
			Hint("to use it:      mv -n %s %s", cli.Quote(unfinished.Temp), cli.Quote(unfinished.Path)).
			Hint("to give it up:  rm %s", cli.Quote(unfinished.Temp)).Because(err)
	case errors.As(err, &clock):
		return cli.Fail("clock", "%v", clock).
			Hint("set the clock; if it is right and the ledger's was wrong, add --clock-is-right").Because(err)
	case errors.As(err, &limit):
		e := cli.Usage("%v", limit)
		return e.Hint("--expires %dd", limit.Limit).Because(err)
	case errors.As(err, &number):
		return cli.Fail("no-key", "%v", number).Hint("kms list shows the numbers").Because(err)
	case errors.As(err, &norenew):
		return cli.Fail("norenew", "%v", norenew).Hint("kms norenew %d --undo", norenew.Key.Number).Because(err)
	case errors.As(err, &revoked):
		return cli.Fail("revoked", "%v", revoked).Because(err).
			Hint("issue another, to a new request of its owner: kms issue --request FILE")
	case errors.As(err, &forgotten):
		return cli.Fail("forgotten", "%v", forgotten).Hint("issue a new key: kms issue").Because(err)
	case errors.As(err, &nothing):
		return cli.Fail("nothing-left", "%v", nothing).Hint("kms norenew %d", nothing.Key.Number).Because(err)
	case errors.As(err, &diverged):
		return cli.Fail("diverged", "%v", diverged).Hint("keep both; go on with one of them, and tell the other's holders " +
			"to ask again").Because(err)
	case errors.As(err, &ahead):
		return cli.Fail("ahead", "%v", ahead).Hint("keep the longer one: an older ledger would give numbers a second " +
			"time; kms restore brings it here").Because(err)
	case errors.As(err, &longer):
		path := cli.Quote(longer.Damaged.Path)
		return cli.Fail("ledger-damaged", "%v", longer).
			Hint("mv -n %s %s.damaged; then kms restore FOLDER --skip %d, so that no number is given again", path, path,
				longer.Entries-longer.Copy).Because(err)
	case errors.As(err, &line):
		return cli.Fail("ledger-damaged", "%v", line).
			Hint("nothing was issued; put back a good copy:  kms restore /media/usb").Because(err)
	case errors.As(err, &torn):
		return cli.Fail("ledger-torn", "%v, as by a crash while it was written", torn).
			Hint("its key was never written; the next kms issue puts that on record and goes on").Because(err)
	case errors.Is(err, kms.ErrMasterMissing):
		return cli.Fail("master-missing", "%s; %s alone cannot issue", missingFile(err),
			strings.TrimSuffix(strings.TrimSuffix(missingFile(err), " is not here"), ".master")+".domain").
			Hint("run where the master key is, or kms restore /media/usb").Because(err)
	case errors.Is(err, kms.ErrLedgerMissing):
		return cli.Fail("ledger-missing", "%s; without it a number could be given twice", missingFile(err)).
			Hint("kms restore /media/usb").Because(err)
	case errors.Is(err, kms.ErrLedgerFull):
		return cli.Fail("ledger-full", "%v", err).
			Hint("nothing was issued; kms ledger forget makes entries shorter, and a new domain begins a new ledger").
			Because(err)
	case errors.Is(err, kms.ErrUnknownMaster), errors.Is(err, kms.ErrOthersMaster):
		return cli.Fail("others-master", "%v", err).Hint("nothing was copied; choose another folder, or move that file away").
			Because(err)
	case errors.Is(err, kms.ErrForeignLedger), errors.Is(err, kms.ErrForeignDomain):
		return cli.Fail("wrong-domain", "%v", err).
			Hint("the three files of a domain belong together; put back the right one").Because(err)
	case errors.Is(err, kms.ErrName) && !errors.Is(err, request.ErrFormat):
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
