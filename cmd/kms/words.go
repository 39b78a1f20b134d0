package main

import (
	"errors"
	"strings"

	"coterie/cmd/internal/cli"
	"coterie/kms/request"
	"coterie/kms/words"
)

// wordTries is how often a word that is not in the list may be typed. Six words
// that are, and are not the request's, end it at once.
const wordTries = 3

// askWords asks for the six words of the request at path until they are words,
// and compares them with its code.
func askWords(path, code string) error {
	for try := 1; ; try++ {
		line, err := cli.Words("Type the six words they told you, not the ones in their mail (Tab completes):",
			"--code WORDS")
		if err != nil {
			return err
		}
		typed, err := normalWords(line)
		switch {
		case err == nil && typed == code:
			return nil
		case err == nil:
			return wrongWords(path)
		case try == wordTries:
			return cli.Fail("request-code", "%v", err)
		}
		cli.Tell("%s", cli.Clean(err.Error()))
	}
}

// normalWords reads six words; its error says what is no word.
func normalWords(s string) (string, error) {
	typed, err := words.Normal(s)
	var unknown *words.UnknownError
	switch {
	case errors.As(err, &unknown) && len(unknown.Like) > 0:
		return "", errors.New(unknown.Error() + "; " + strings.Join(unknown.Like, " or ") + "?")
	case err != nil:
		return "", err
	case strings.Count(typed, "-") != request.CodeWords-1:
		return "", errors.New("it takes six words")
	}
	return typed, nil
}

// wrongWords does not say which words would be right.
func wrongWords(path string) error {
	return cli.Fail("request-code", "these are not the words of %s; do not issue", path).
		Hint("have them said once more by voice; if they still differ, the request was changed on its way: ask for a new one")
}
