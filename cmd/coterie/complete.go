package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coterie/kms/keyfile"
)

// Completion by the shell. Names of peers are never completed, and no passphrase
// is asked for: only keys without one tell their attributes.

func (a *app) completeRooms(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	rooms, err := a.Rooms()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, r := range rooms {
		if strings.HasPrefix(r.Name, toComplete) && !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSave completes the room, and where to save; the numbers of files are the room's.
func (a *app) completeSave(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 2 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeRooms(cmd, args, typed)
}

func completeFiles(extension string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{extension}, cobra.ShellCompDirectiveFilterFileExt
	}
}

func completeWords(words ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePolicy completes the last word with the attributes of one's own keys,
// as far as these can be read without a passphrase, and with the keywords.
func (a *app) completePolicy(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	files, err := filepath.Glob("*.key")
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	if key, err := cmd.Flags().GetString("key"); err == nil && key != "" {
		files = []string{key}
	}
	words := []string{"and", "or"}
	for _, f := range files {
		k, err := keyfile.LoadKey(f, nil)
		if err != nil {
			continue
		}
		for _, at := range k.Attributes() {
			if text := at.String(); !slices.Contains(words, text) {
				words = append(words, text)
			}
		}
	}
	i := strings.LastIndexAny(toComplete, " (") + 1
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, toComplete[i:]) || strings.HasPrefix(strings.Trim(w, `"`), toComplete[i:]) {
			out = append(out, toComplete[:i]+w)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
