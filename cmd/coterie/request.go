package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// requestFlags are the flags of request as they were typed.
type requestFlags struct {
	name, domain, output     string
	want                     []string
	identity, passphraseFile string
	noPassphrase, pq, force  bool
}

func (a *app) requestCommand() *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "request --want A [--want A]...",
		Short: "ask the operator of a domain for a key",
		Long: `Write a request for a key, to be sent to the operator of a domain. The first time this makes your identity, which opens
every key that is made for you.`,
		Example: `  coterie request --name "Kari Nordmann" --want NTNU --want "5th year"`,
		Args:    cli.Args(),
		RunE:    func(_ *cobra.Command, _ []string) error { return a.request(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.name, "name", "", "your `NAME`, for the operator's record; it is in no key")
	flags.StringArrayVar(&f.want, "want", nil, "an attribute `A` to ask for: NTNU, \"5th year\", dept=Telematics; give "+
		"one --want for each")
	flags.StringVar(&f.domain, "domain", "", "ask this domain only: its `FILE` or fingerprint")
	flags.StringVarP(&f.output, "output", "o", "", "write the request to `FILE` (default: your name and .request)")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE")
	flags.StringVar(&f.identity, "identity", "", "your identity `FILE` (default: the one in your settings)")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	flags.BoolVar(&f.noPassphrase, "no-passphrase", false, "make the identity without a passphrase, and do not ask")
	flags.BoolVar(&f.pq, "pq", false, "make the identity post-quantum (its recipient has 1,959 letters)")
	cmd.MarkFlagRequired("want")
	return cmd
}

func (a *app) request(f requestFlags) error {
	if f.noPassphrase && f.passphraseFile != "" {
		return cli.Usage("--no-passphrase and --passphrase-file exclude each other")
	}
	// All that was typed is checked before anything is made.
	r, err := f.parse(abe.DayOf(a.now()))
	if err != nil {
		return err
	}
	path := f.output
	if path == "" {
		path = request.FileName(f.name) + ".request"
	}
	if _, err := os.Lstat(path); err == nil && !f.force {
		return cli.Fail("exists", "%s exists", path).Hint("--force overwrites it; -o FILE writes another")
	}
	identity, err := a.IdentityPath(f.identity)
	if err != nil {
		return err
	}
	made := false
	switch _, err := os.Lstat(identity); {
	case errors.Is(err, fs.ErrNotExist):
		if r.Recipient, err = a.newIdentity(identity, f); err != nil {
			return err
		}
		made = true
	case err != nil:
		return err
	default:
		if r.Recipient, err = a.recipient(identity, f); err != nil {
			return err
		}
	}
	text, err := r.Marshal()
	if err != nil {
		return err
	}
	write := keyfile.WritePublic
	if f.force {
		write = func(path string, data []byte) error { return keyfile.Replace(path, data, 0o644) }
	}
	if err := write(path, text); err != nil {
		return err
	}
	code, err := r.Code()
	if err != nil {
		return err
	}
	return printRequest(a.stdout, profile.Tilde(identity), made, path, code)
}

// parse checks all but the recipient.
func (f *requestFlags) parse(today abe.Day) (*request.Request, error) {
	r := &request.Request{Name: f.name, Made: today}
	if err := request.CheckName(f.name); err != nil {
		return nil, cli.Usage("--name: %v", err)
	}
	// The set must be one that a key can hold; its order is as typed.
	if _, err := abe.ParseAttributes(f.want); err != nil {
		return nil, err
	}
	for _, text := range f.want {
		attribute, err := abe.ParseAttribute(text)
		if err != nil {
			return nil, err
		}
		r.Want = append(r.Want, attribute)
	}
	if f.domain == "" {
		return r, nil
	}
	print, err := request.Fingerprint(f.domain)
	if err == nil {
		r.Domain = print
		return r, nil
	}
	domain, loadErr := keyfile.LoadDomain(f.domain)
	if loadErr != nil {
		return nil, loadErr
	}
	r.Domain, err = request.Fingerprint(domain.Fingerprint())
	return r, err
}

// recipient is that of the identity that is there.
func (a *app) recipient(path string, f requestFlags) (string, error) {
	open, err := a.Identities(path, f.passphraseFile)
	if err != nil {
		return "", err
	}
	ids, err := open()
	if err != nil {
		return "", err
	}
	all := keyfile.Recipients(ids)
	for _, r := range all {
		// A file may hold several; --pq chooses.
		if !f.pq || strings.HasPrefix(r, "age1pq1") {
			return r, nil
		}
	}
	if f.pq && len(all) > 0 {
		return "", cli.Fail("not-post-quantum", "%s is not post-quantum", path).
			Hint("--identity FILE makes another one beside it")
	}
	return "", cli.Fail("file-wrong-kind", "%s holds no identity that a key can be sealed for", path)
}

func printRequest(w io.Writer, identity string, made bool, path, code string) error {
	identity, path = cli.Clean(identity), cli.Clean(path)
	width := max(len([]rune(identity)), len([]rune(path))) + 7
	var b strings.Builder
	if made {
		fmt.Fprintf(&b, "Made your identity   %-*skeep it; it opens every key made for you\n", width, identity)
	} else {
		fmt.Fprintf(&b, "Your identity        %-*sit opens every key made for you\n", width, identity)
	}
	fmt.Fprintf(&b, `Wrote the request    %-*spublic; send it to the operator any way you like

  Your code   %s

Tell the operator these six words by voice or in person. They show that the key will be sealed for you and for nobody in between.
`, width, path, code)
	_, err := io.WriteString(w, b.String())
	return err
}

// newIdentity makes an identity at path, which must not exist.
func (a *app) newIdentity(path string, f requestFlags) (recipient string, err error) {
	var passphrase []byte
	if !f.noPassphrase {
		passphrase, err = cli.NewPassphrase(cli.NewPassphraseOptions{
			File: f.passphraseFile, Ask: "Passphrase for your new identity (empty: none):", Again: "Once more:",
			Hint: "--passphrase-file FILE, or --no-passphrase",
		})
		if err != nil {
			return "", err
		}
		defer clear(passphrase)
	}
	return a.NewIdentity(path, passphrase, f.pq, a.now())
}
