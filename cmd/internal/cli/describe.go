package cli

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"coterie/crypto/abe"
	"coterie/kms/keyfile"
	"coterie/kms/request"
)

// Describe returns what to tell a person about err.
// An *Error is returned as it is; an error nobody here knows keeps its text.
func Describe(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	for _, describe := range []func(error) *Error{describeRequest, describePolicy, describeFile, describeSecret,
		describeSystem} {
		if e := describe(err); e != nil {
			return e.Because(err)
		}
	}
	return Fail("failed", "%s", err.Error()).Because(err)
}

// describePolicy says where a policy or an attribute is wrong.
func describePolicy(err error) *Error {
	var attribute *abe.AttributeError
	if errors.As(err, &attribute) {
		e := &Error{Code: "bad-attribute", Text: attribute.Error(), Status: StatusUsage}
		if attribute.Source != "" && len(attribute.Source) <= 200 {
			e.Detail(attribute.Source)
		}
		if attribute.Hint != "" {
			e.Hint("%s", attribute.Hint)
		}
		return e
	}
	var syntax *abe.SyntaxError
	if !errors.As(err, &syntax) {
		return nil
	}
	e := &Error{Code: "bad-policy", Text: syntax.Error(), Status: StatusUsage}
	for line := range strings.Lines(syntax.Excerpt()) {
		e.Detail(strings.TrimRight(line, "\r\n"))
	}
	if syntax.Hint != "" {
		e.Hint("%s", syntax.Hint)
	}
	return e
}

// describeRequest is about what members send.
func describeRequest(err error) *Error {
	switch {
	case errors.Is(err, request.ErrVersion):
		return Fail("request-newer", "%s", err.Error()).Hint("it was made by a newer version; get that one")
	case errors.Is(err, request.ErrFormat):
		return Fail("request-damaged", "%s", err.Error()).Hint("have it sent again, as an attachment")
	}
	return nil
}

// describeFile is about files: not there, not private, of another kind, damaged.
func describeFile(err error) *Error {
	var (
		exists  *keyfile.ExistsError
		missing *keyfile.NotExistError
		loose   *keyfile.PermissionError
		owner   *keyfile.OwnerError
		kind    *keyfile.KindError
		version *keyfile.VersionError
		damaged *keyfile.DamagedError
		size    *keyfile.SizeError
		special *keyfile.NotRegularError
	)
	switch {
	case errors.As(err, &exists):
		return Fail("exists", "%s exists", exists.Path).
			Hint("nothing is overwritten; choose another name, or move that file away")
	case errors.As(err, &missing):
		e := Fail("file-missing", "%s", missing.Error())
		if len(missing.Near) > 0 {
			e.Hint("did you mean %s?", strings.Join(missing.Near, " or "))
		}
		return e
	case errors.As(err, &loose):
		if loose.Folder {
			return Fail("permissions", "%s", loose.Error()).Hint("chmod o-w %s", Quote(loose.Path))
		}
		if loose.Change {
			return Fail("permissions", "%s", loose.Error()).Hint("chmod go-w %s", Quote(loose.Path))
		}
		return Fail("permissions", "%s", loose.Error()).Hint("chmod 600 %s", Quote(loose.Path))
	case errors.As(err, &owner):
		return Fail("wrong-owner", "%s", owner.Error()).Hint("sudo chown \"$(id -un)\" %s", Quote(owner.Path))
	case errors.As(err, &kind):
		return describeKind(kind)
	case errors.As(err, &version):
		return Fail("file-newer", "%s", version.Error()).Hint("it was made by a newer version; get that one")
	case errors.As(err, &damaged):
		return describeDamage(damaged)
	case errors.As(err, &size):
		return Fail("file-wrong-kind", "%s is far too large (%s)", size.Path, Size(int(size.Size))).
			Hint("no file of Coterie's is larger than %s", Size(keyfile.MaxSize))
	case errors.As(err, &special):
		return Fail("file-wrong-kind", "%s", special.Error())
	}
	return nil
}

func describeKind(kind *keyfile.KindError) *Error {
	e := Fail("file-wrong-kind", "%s", kind.Error())
	switch {
	case kind.Want == keyfile.Key && kind.Got == keyfile.Identity:
		return e.Hint("an identity opens a sealed key: --key wants the key, --identity this file")
	case kind.Want == keyfile.Key:
		return e.Hint("--key wants the file the operator sent you")
	case kind.Want == keyfile.Identity && kind.Got == keyfile.Recipient:
		return e.Hint("--identity wants the secret half, which begins with AGE-SECRET-KEY-")
	case kind.Want == keyfile.Request && kind.Got == keyfile.Recipient:
		return e.Hint("--to takes a recipient, --request the file that 'coterie request' wrote")
	case kind.Want == keyfile.Request:
		return e.Hint("--request wants the file that 'coterie request' wrote")
	case kind.Want == keyfile.Identity:
		return e.Hint("--identity wants a file of age-keygen, with a line that begins with AGE-SECRET-KEY-")
	}
	return e
}

func describeDamage(damaged *keyfile.DamagedError) *Error {
	if damaged.UTF16 {
		// age's own hint for the same accident: its issue 290.
		return Fail("file-damaged", "%s is damaged; %s, starts as UTF-16 text does", damaged.Path,
			Plural(damaged.Size, "byte")).
			Hint("PowerShell's '>' rewrote it; copy the file instead")
	}
	return Fail("file-damaged", "%s is damaged; %s", damaged.Path, Plural(damaged.Size, "byte")).
		Hint("it was cut short or changed on the way; copy %s again from where it was made",
			Quote(filepath.Base(damaged.Path)))
}

// describeSecret is about what does not open.
func describeSecret(err error) *Error {
	var (
		passphrase *keyfile.PassphraseError
		foreign    *keyfile.NotForYouError
		sealed     *keyfile.SealedError
	)
	switch {
	case errors.As(err, &passphrase):
		return Fail("wrong-passphrase", "wrong passphrase for %s", passphrase.Path)
	case errors.As(err, &foreign):
		return Fail("not-for-you", "%s", foreign.Error()).Hint("--identity FILE if you made the request on another computer")
	case errors.As(err, &sealed):
		return Fail("no-identity", "%s is sealed for its owner", sealed.Path).
			Hint("give the identity it was sealed for:  --identity FILE")
	}
	return nil
}

// describeSystem is about what the operating system answers, such as a full disk.
func describeSystem(err error) *Error {
	reason := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return Fail("disk-full", "%s", err.Error()).Hint("make room and run it again")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		// Files that are read are keyfile's; this is a folder to write to.
		return Fail("file-missing", "%s", err.Error()).Hint("the folder must exist")
	case errors.Is(err, fs.ErrPermission):
		reason = "permissions"
	case errors.Is(err, fs.ErrExist):
		reason = "exists"
	default:
		return nil
	}
	return Fail(reason, "%s", err.Error())
}

// KeyExpired: the key at path has lapsed.
func KeyExpired(path string, k *abe.Key, today abe.Day) *Error {
	return Fail("key-expired", "%s expired on %s, %s ago", path, k.Expires(), Plural(int(today-k.Expires()), "day")).
		Hint("ask for a renewal; send the operator this line:   kms renew %d", k.Serial())
}
