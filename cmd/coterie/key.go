package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coterie/cmd/internal/cli"
	"coterie/crypto/abe"
	"coterie/kms/keyfile"
)

func (a *app) keyCommand() *cobra.Command {
	var identity, passphraseFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "key FILE",
		Short:   "say what a key of yours holds, and until when",
		Example: `  coterie key kari.key`,
		Args:    cli.Args("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			path := args[0]
			kind, err := keyfile.Peek(path)
			if err != nil {
				return err
			}
			ids, err := a.Identities(identity, passphraseFile)
			if err != nil {
				return err
			}
			k, err := keyfile.LoadKey(path, ids)
			if err != nil {
				return err
			}
			sealed := kind == keyfile.Sealed
			show := a.printKey
			if asJSON {
				show = a.printKeyJSON
			}
			if err := show(a.stdout, k, sealed); err != nil {
				return err
			}
			if today := abe.DayOf(a.now()); today >= k.Expires() {
				return cli.KeyExpired(path, k, today)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "open it with the age identities in `FILE` (default: your own)")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "the identity's passphrase is the first line of `FILE`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (a *app) printKey(w io.Writer, k *abe.Key, sealed bool) error {
	state := "for you"
	if !sealed {
		state = "no: whoever copies this file has your attributes"
	}
	relays := ""
	for _, r := range k.Domain().Relays() {
		relays += "relay       " + cli.Clean(r) + "\n"
	}
	_, err := fmt.Fprintf(w, `domain      %s %s
number      %d
attributes  %s
valid       %s
sealed      %s
%sNobody in a room can see these; members only learn that some key of yours satisfies the policy.
`, cli.Clean(k.Domain().Name()), k.Domain().Fingerprint(), k.Serial(), cli.KeyAttributes(k),
		cli.Validity(k, abe.DayOf(a.now())), state, relays)
	return err
}

// keyLine is a key for machines.
type keyLine struct {
	Number      uint64   `json:"no"`
	Domain      string   `json:"domain"`
	Fingerprint string   `json:"fingerprint"`
	Attributes  []string `json:"attributes"`
	Generation  uint32   `json:"generation"`
	From        string   `json:"from"`
	Expires     string   `json:"expires"`
	Days        int      `json:"days"` // left; 0 or less: lapsed
	Sealed      bool     `json:"sealed"`
	Relays      []string `json:"relays,omitempty"` // that the domain names
}

func (a *app) printKeyJSON(w io.Writer, k *abe.Key, sealed bool) error {
	line := keyLine{
		Number: k.Serial(), Domain: k.Domain().Name(), Fingerprint: k.Domain().Fingerprint(), Attributes: []string{},
		Generation: k.Generation(), From: k.From().String(), Expires: k.Expires().String(),
		Days: int(k.Expires()) - int(abe.DayOf(a.now())), Sealed: sealed, Relays: k.Domain().Relays(),
	}
	for _, attribute := range k.Attributes() {
		line.Attributes = append(line.Attributes, attribute.String())
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}
