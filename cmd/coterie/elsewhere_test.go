package main

import (
	"context"
	"strings"
	"testing"

	"coterie/internal/drive"
)

// TestElsewhere: who types another policy, another history, or has the key of
// another domain, is alone, not joining for ever, and both sides are told why,
// once: nos. 3 and 11 of the catalogue.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann := peerProcess(ctx, t, dir, "ann")
	at, err := ann.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	told := func(p *drive.Peer, code, text, hint string) {
		t.Helper()
		w, err := p.Wait(ctx, code, func(e drive.Event) bool { return e.Event == "warning" && e.Code == code })
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Text, text) || w.Hint != hint {
			t.Errorf("%s: %q %q", p.Name, w.Text, w.Hint)
		}
		h, err := p.Wait(ctx, "why", func(e drive.Event) bool {
			return e.Event == "health" && e.Code == "ALONE" && strings.Contains(e.Hint, text)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(h.Hint, hint) {
			t.Errorf("%s: %q", p.Name, h.Hint)
		}
	}
	const fingerprint = "compare the fingerprint with your operator"
	for _, test := range []struct {
		name, code, text, hint string
		args                   []string
	}{
		{"bob", "policy-differs", `1 peer nearby has a room "den" of NTNU with another policy: ("ONE" or "THREE") and ("TWO" or "FOUR")`,
			"same name, other policy = other room; coterie join den --policy …", []string{"--policy", "THREE"}},
		{"dan", "policy-differs", `1 peer nearby has a room "den" of NTNU with the same policy and no history`,
			"same name, other history = other room; coterie join den --history 0", []string{"--history", "7d", "--key", dir + "/bob.key"}},
		{"foreign", "same-name-domain", `1 peer nearby has a room "den" of another domain: `, fingerprint, nil},
	} {
		p := peerProcess(ctx, t, dir, test.name, append([]string{"--bootstrap", at.Addrs[0]}, test.args...)...)
		told(p, test.code, test.text, test.hint)
		events, _ := p.Events()
		for _, e := range events {
			if e.Event == "health" && e.Code == "JOINING" {
				t.Errorf("%s says that it joins: %q", test.name, e.Text)
			}
		}
		if err := p.Quit(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Exit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	told(ann, "policy-differs", `1 peer nearby has a room "den" of NTNU with another policy: "THREE"`, "same name, other policy = other room; coterie join den --policy …")
	told(ann, "same-name-domain", `1 peer nearby has a room "den" of another domain: `, fingerprint)
	warnings := 0
	events, _ := ann.Events()
	for _, e := range events {
		if e.Event == "warning" && e.Code == "policy-differs" {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings, not one", warnings)
	}
}
