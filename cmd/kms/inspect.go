package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

func (a *app) inspectCommand() *cobra.Command {
	var identity, passphraseFile string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "say what a file is; asks for no passphrase",
		Example: `  kms inspect kari.key
  kms inspect NTNU.ledger`,
		Args: cli.Args("FILE"),
		RunE: a.withReminder(func(cmd *cobra.Command, args []string) error {
			w, path := cmd.OutOrStdout(), args[0]
			kind, err := keyfile.Peek(path)
			if err != nil {
				return err
			}
			switch kind {
			case keyfile.Domain:
				return inspectDomain(w, path)
			case keyfile.Notice:
				return inspectNotice(w, path)
			case keyfile.Key:
				return a.inspectKey(w, path, nil)
			case keyfile.Sealed:
				if identity != "" {
					return a.inspectKey(w, path, &sealedFor{identity, passphraseFile})
				}
				return inspectSealed(w, cmd.ErrOrStderr(), path)
			case keyfile.Passphrase:
				return inspectEncrypted(w, path)
			case keyfile.Master:
				return inspectMaster(w, path)
			case keyfile.Ledger:
				return inspectLedger(w, path)
			case keyfile.Request:
				return inspectRequest(w, path)
			case keyfile.Identity:
				return inspectIdentity(w, path)
			case keyfile.Recipient:
				_, err := fmt.Fprintln(w, "an age recipient: public; kms issue --to seals a key for it")
				return err
			case keyfile.UTF16:
				data, err := keyfile.ReadPublic(path)
				if err != nil {
					return err
				}
				return &keyfile.DamagedError{Path: path, Size: len(data), UTF16: true}
			case keyfile.Empty:
				return cli.Fail("file-wrong-kind", "%s is empty", path)
			default:
				return cli.Fail("file-wrong-kind", "%s is %s, not a file of the authority's", path, kind)
			}
		}),
	}
	cmd.Flags().StringVar(&identity, "identity", "", "open a sealed key with the age identities in `FILE`")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	return cmd
}

// sealedFor says how to open a sealed key.
type sealedFor struct{ identity, passphraseFile string }

func inspectDomain(w io.Writer, path string) error {
	d, err := keyfile.LoadDomain(path)
	if err != nil {
		return err
	}
	file, err := d.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "domain %s, fingerprint %s, format %d, public parameters %s\n%s",
		cli.Clean(d.Name()), d.Fingerprint(), format, cli.Plural(len(file), "byte"), relayLines(d))
	return err
}

// format is the version of a domain's file, and of its keys'.
const format = 2

// inspectNotice says what a notice says. Whose keys those are, the ledger knows alone.
func inspectNotice(w io.Writer, path string) error {
	n, err := keyfile.LoadNotice(path)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "notice of %s UTC, of the domain with the fingerprint %x-%x-%x-%x, that these are good no more:\n",
		n.Time().Format("2006-01-02 15:04"), n.Domain[0:2], n.Domain[2:4], n.Domain[4:6], n.Domain[6:8])
	for _, s := range n.Serials {
		fmt.Fprintf(&b, "  key %d\n", s)
	}
	b.WriteString("Whether that domain signed it is looked at by those who take it.\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// relayLines are a domain's relays, below what else a file has.
func relayLines(d *abe.Domain) string {
	var b strings.Builder
	for _, r := range d.Relays() {
		fmt.Fprintf(&b, "  relay       %s\n", cli.Clean(r))
	}
	return b.String()
}

func (a *app) inspectKey(w io.Writer, path string, sealed *sealedFor) error {
	var k *abe.Key
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	state := "not sealed: whoever has this file has the key"
	if sealed == nil {
		k, err = keyfile.LoadKey(path, nil)
	} else {
		state = "sealed for you"
		k, err = keyfile.LoadKey(path, cli.Identities(sealed.identity, cli.PassphraseOptions{File: sealed.passphraseFile}))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "key %d, format %d, %s, %s\n  domain      %s %s\n  attributes  %s\n  valid       %s\n  "+
		"generation  %d\n%s",
		k.Serial(), format, cli.Plural(info.Size(), "byte"), state, cli.Clean(k.Domain().Name()), k.Domain().
			Fingerprint(),
		cli.KeyAttributes(k), cli.Validity(k, abe.DayOf(a.now())), k.Generation(), relayLines(k.Domain()))
	return err
}

// inspectAge reads what an age file shows from outside.
func inspectAge(path string) (h keyfile.AgeHeader, size int, err error) {
	data, err := keyfile.ReadPublic(path)
	if err != nil {
		return h, 0, err
	}
	if h, err = keyfile.ReadAgeHeader(data); err != nil {
		return h, 0, &keyfile.DamagedError{Path: path, Size: len(data), Err: err}
	}
	return h, len(data), nil
}

func inspectEncrypted(w io.Writer, path string) error {
	h, size, err := inspectAge(path)
	if err != nil {
		return err
	}
	what := ""
	if !strings.HasSuffix(path, ".master") {
		what = ": a master key or an identity"
	}
	_, err = fmt.Fprintf(w, "encrypted with a passphrase (scrypt 2^%d, about %.1f s here), %s%s\n", h.WorkFactor,
		scryptSeconds(h.WorkFactor), cli.Size(size), what)
	return err
}

// scryptSeconds is about how long one guess at a passphrase takes here: a smaller
// one is measured, and the cost is proportional.
func scryptSeconds(workFactor int) float64 {
	const small = 12
	began := time.Now()
	if _, err := keyfile.EncryptPassphrase(nil, []byte("x"), small); err != nil {
		return 0
	}
	return math.Ldexp(time.Since(began).Seconds(), workFactor-small)
}

func inspectSealed(w, stderr io.Writer, path string) error {
	h, size, err := inspectAge(path)
	if err != nil {
		return err
	}
	form := ""
	if h.Armored {
		form = ", as text"
	}
	text := fmt.Sprintf("sealed with age (%s)%s, %s; what is inside only its owner can see", strings.Join(h.Types, ", "),
		form, cli.Plural(size, "byte"))
	if l := h.Label; l != nil {
		text = fmt.Sprintf("sealed key, format 1, %s, for %s, of %s %s", cli.Plural(size, "byte"), l.Recipient, l.Domain,
			l.Fingerprint)
	}
	if _, err := fmt.Fprintln(w, cli.Clean(text)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stderr, "hint: its owner sees more:  coterie key %s\n", cli.Clean(cli.Quote(path)))
	return err
}

func inspectRequest(w io.Writer, path string) error {
	r, err := request.Load(path)
	if err != nil {
		return err
	}
	text, err := r.Marshal()
	if err != nil {
		return err
	}
	code, err := r.Code()
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(cli.Clean(strings.TrimSuffix(line, "\n")) + "\n")
	}
	fmt.Fprintf(&b, "code: %s\n", code)
	_, err = io.WriteString(w, b.String())
	return err
}

func inspectIdentity(w io.Writer, path string) error {
	ids, err := keyfile.LoadIdentities(path, nil)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range keyfile.Recipients(ids) {
		names = append(names, keyfile.ShortRecipient(r))
	}
	_, err = fmt.Fprintf(w, "identity of %s, without a passphrase: whoever has it opens every key that was made for it\n",
		strings.Join(names, ", "))
	return err
}

// inspectMaster is about a master key without a passphrase, which must at least
// be private.
func inspectMaster(w io.Writer, path string) error {
	data, err := keyfile.ReadSecret(path)
	if err != nil {
		return err
	}
	defer clear(data)
	m, err := abe.ParseMasterKey(data)
	if err != nil {
		return keyfile.Unreadable(path, keyfile.Master, len(data), err)
	}
	_, err = fmt.Fprintf(w, "master key of %s %s, format 2, %s, not encrypted: whoever has it can mint any key\n",
		cli.Clean(m.Domain().Name()), m.Domain().Fingerprint(), cli.Size(len(data)))
	return err
}

func inspectLedger(w io.Writer, path string) error {
	o, err := kms.Outside(path)
	if err != nil {
		return err
	}
	torn := ""
	if o.Torn {
		torn = ", and a last line that was cut short"
	}
	_, err = fmt.Fprintf(w, "ledger of the domain %s, format 1, %s%s, %s, encrypted\n", o.Fingerprint,
		plural(o.Entries, "entry", "entries"), torn, cli.Size(o.Size))
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return cli.Count(n) + " " + many
}
