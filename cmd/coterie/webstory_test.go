//go:build unix

package main

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"coterie/cmd/internal/browse"
	"coterie/cmd/internal/drive"
)

var pictures = flag.String("pictures", "", "write pictures of the page into this `folder`")

// webAt starts coterie web, and returns the address of its page, with a token in it.
func webAt(t *testing.T, env []string, args ...string) (u *upProcess, link string) {
	t.Helper()
	u = begun(t, env, append([]string{"web", "--no-browser"}, args...)...)
	shown := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/#\S+`)
	for until := time.Now().Add(patience); link == ""; time.Sleep(20 * time.Millisecond) {
		if link = shown.FindString(u.said()); link == "" && time.Now().After(until) {
			t.Fatalf("it shows no address: %s", u.said())
		}
	}
	return u, link
}

// openPage opens the page of an address in a browser.
func openPage(t *testing.T, link string, width, height int64, dark bool) *browse.Browser {
	t.Helper()
	b := browse.Start(t, width, height, dark)
	host, _, _ := strings.Cut(strings.TrimPrefix(link, "http://"), "/")
	b.Open(host, link)
	return b
}

// aPicture is one of 40 pixels by 30.
func aPicture(t *testing.T) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = byte(255 - i%7*20)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// happens waits until a peer tells of an event.
func happens(ctx context.Context, t *testing.T, p *drive.Peer, event string) {
	t.Helper()
	if _, err := p.Wait(ctx, event, func(e drive.Event) bool { return e.Event == event }); err != nil {
		t.Fatal(err)
	}
}

func keep(b *browse.Browser, name string) {
	if *pictures != "" {
		b.Picture(filepath.Join(*pictures, name+".png"))
	}
}

// TestWebStory is README's story with three peers, one of whom has a page: they join by the link that
// somebody sent them, see who can read, talk, see who has what they said, and are away when
// they are gone. It is played at the width of a phone and of a desk.
func TestWebStory(t *testing.T) {
	t.Parallel()
	for _, size := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"phone", 360, 740, true}, {"desk", 1200, 720, false}} {
		t.Run(size.name, func(t *testing.T) {
			ctx, dir := stage(t)
			narrow := size.width < 700
			ann, at := first(ctx, t, dir, "ann")
			bob := peerProcess(ctx, t, dir, "bob", "--bootstrap", at)
			aliveIn(ctx, t, ann, bob)
			ready, err := ann.Ready(ctx)
			if err != nil {
				t.Fatal(err)
			}
			short := shortDir(t)
			config := filepath.Join(short, "config", "coterie")
			if err := os.MkdirAll(config, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(config, "config.toml"),
				[]byte("mdns = false\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			u, link := webAt(t, home(short))
			b := openPage(t, link, size.width, size.height, size.dark)

			// From nothing to a room, by a link that was copied from a screen. A narrow page has no list of rooms.
			if narrow {
				b.Click("#begin button", "Join a room")
			} else {
				b.Shows("#room-list", "No room is open")
				b.Click("#join", "Join a room")
			}
			b.Fill("#dialog textarea", "nonsense")
			b.Click("#dialog button", "Look at the link")
			b.Shows("#dialog .fault", "hint")
			b.Fill("#dialog textarea", ready.Link[:40]+"\n "+ready.Link[40:])
			b.Fill("#dialog input[list]", filepath.Join(dir, "bob.key"))
			b.Fill("#dialog input:not([list], [type])", "kari")
			b.Click("#dialog button", "Look at the link")
			b.Shows("#dialog", "in the domain")
			keep(b, "web-join-"+size.name)
			b.Click("#dialog button", "Join")
			b.Shows("#title", "den")
			b.Until(`document.querySelectorAll("#members li").length === 3`)

			// Talk.
			if err := ann.Say("who has the old exam sets?"); err != nil {
				t.Fatal(err)
			}
			b.Shows("#log li", "who has the old exam sets?")
			b.Say("I do, kari: they are on the shelf")
			for _, p := range []*drive.Peer{ann, bob} {
				if _, err := p.Heard(ctx, "I do, kari: they are on the shelf"); err != nil {
					t.Error(err)
				}
			}
			b.Shows("#log li.self", "I do, kari")
			b.Until(`document.querySelectorAll("#log li.self").length === 1`)
			b.Until(`!document.querySelector("#log li.self").innerText.includes("have it")`)
			if err := bob.Say("thanks kari, I come at three"); err != nil {
				t.Fatal(err)
			}
			b.Shows("#log li.named", "names you")
			// About what was said: an answer, a reaction, other words, and none.
			b.Click("#log .menu", "thanks kari")
			b.Click("#dialog button", "Answer")
			b.Say("and bring coffee")
			heard, err := bob.Heard(ctx, "and bring coffee")
			if err != nil {
				t.Fatal(err)
			}
			b.Shows("#log li.self .quote", "bob: thanks kari")
			if err := bob.Write(`{"react":"` + heard.ID + `","text":"👍"}`); err != nil {
				t.Fatal(err)
			}
			b.Shows("#log li.self .reactions", "👍 1")
			b.Click("#log .menu", "thanks kari")
			b.Click("#dialog button", "🎉")
			happens(ctx, t, bob, "reaction")
			b.Shows("#log li.named .reactions", "🎉 1")
			b.Click("#log .menu", "and bring coffee")
			b.Click("#dialog button", "Change")
			b.Until(`document.getElementById("words").value === "and bring coffee"`)
			b.Fill("#words", "")
			b.Say("and bring tea")
			happens(ctx, t, bob, "edited")
			b.Shows("#log li.self", "and bring tea")
			b.Shows("#log li.self .state", "edited")
			b.Click("#log .menu", "and bring tea")
			b.Click("#dialog button", "Withdraw")
			b.Click("#dialog button", "Yes")
			happens(ctx, t, bob, "withdrawn")
			b.Shows("#log li.self .gone", "withdrawn")

			// Files: a picture is shown, what only says that it is one is not, and all can be saved.
			for name, content := range map[string][]byte{"room.png": aPicture(t), "evil.png": []byte(
				`<svg xmlns="http://www.w3.org/2000/svg"><script>window.stolen=1</script></svg>`)} {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := bob.Write(`{"file":` + strconv.Quote(path) + `}`); err != nil {
					t.Fatal(err)
				}
			}
			b.Until(`document.querySelector("#log [role=img][aria-label='room.png']")?.width === 40`)
			b.Click("#log .file button", "Save evil.png")
			notes := filepath.Join(dir, "notes.txt")
			if err := os.WriteFile(notes, []byte("what we know"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.Upload("#file", notes)
			if _, err := bob.Wait(ctx, "the file", func(e drive.Event) bool {
				return e.Event == "message" && e.File != nil && e.File.Name == "notes.txt" && e.File.Size == 12
			}); err != nil {
				t.Fatal(err)
			}
			b.Shows("#log li.self .file", "notes.txt (12 B)")
			keep(b, "web-"+size.name)
			if browse.Eval[bool](b, `"stolen" in window || Boolean(document.querySelector("[role=img][aria-label='evil.png']"))`) {
				t.Error("what is no picture is shown as one")
			}
			for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				left, err := filepath.Glob(filepath.Join(short, "run", "coterie", "web-*"))
				if err == nil && len(left) == 0 {
					break
				}
				if time.Now().After(until) {
					t.Fatal("files are left:", left, err)
				}
			}

			b.Click("#log .menu", "I do, kari")
			b.Shows("#dialog", "have it: ")
			b.Until(`/have it: (ann and bob|bob and ann)/.test(document.getElementById("dialog").innerText)`)
			keep(b, "web-readers-"+size.name)
			b.Click("#dialog-close", "Close")

			// What others do with it shows, and what is typed as a command is answered.
			b.Say("/who")
			b.Shows("#dialog", "3 can read this room now")
			b.Click("#dialog-close", "Close")
			b.Say("/nosuch")
			b.Shows("#log", "there is no command /nosuch")

			// A page that is loaded anew goes on, without a new token, and doubles nothing.
			b.Reload()
			b.Shows("#log li.named", "thanks kari")
			b.Until(`document.querySelectorAll("#log li.self").length === 3`)
			b.Shows("#log li.self .gone", "withdrawn")
			b.Shows("#log li.named .reactions", "🎉 1")
			leave(ctx, t, ann)
			b.Shows("#members h2", "Away")
			b.Until(`document.getElementById("show-members").textContent === "2 can read, 1 when back"`)
			b.Fine()
			u.ends(t, os.Interrupt)
			if _, err := bob.Wait(ctx, "kari goes away", func(e drive.Event) bool {
				return e.Event == "member" && e.Nick == "kari" && e.State == "away"
			}); err != nil {
				t.Error(err)
			}
			b.Shows("#notices", "coterie web")
			finish(ctx, t, bob)
		})
	}
}

// TestWebAttaches: where coterie up runs, the page shows its rooms, and closing the page leaves them
// open; what is said on a terminal and on the page is the same.
func TestWebAttaches(t *testing.T) {
	t.Parallel()
	ctx, dir := stage(t)
	short := shortDir(t)
	roomsOf(t, dir, short, "den", "lab")
	env := home(short)
	up(t, env)
	window := windowOn(ctx, t, env, "den")
	ready, err := window.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bob := peerAt(ctx, t, dir, filepath.Join(dir, "home of bob"), "bob", "--bootstrap", ready.Addrs[0])
	aliveIn(ctx, t, window, bob)
	u, link := webAt(t, env)
	b := openPage(t, link, 1200, 720, false)
	b.Until(`document.querySelectorAll("#room-list li").length === 2`)
	b.Click("#room-list button", "den")
	b.Shows("#members", "bob")
	b.Say("from the page")
	if err := window.Say("from the window"); err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{"from the page", "from the window"} {
		b.Shows("#log li.self", said)
		if _, err := bob.Heard(ctx, said); err != nil {
			t.Error(err)
		}
	}
	b.Click("#room-list button", "lab")
	b.Shows("#notices", "Nobody else can read this room now")
	if err := bob.Say("are you there?"); err != nil {
		t.Fatal(err)
	}
	b.Shows("#room-list button .count", "1")

	// Settings are those of the room, and what is kept is said there.
	b.Click("#more", "More")
	b.Click("#dialog button", "Settings")
	b.Shows("#dialog label", "notify_text")
	b.Fill("#dialog input[aria-label=nick]", "kari")
	b.Click("#dialog form:has(input[aria-label=nick]) button", "Keep")
	b.Shows("#log", "nick: kari; for this run and the next ones in this room")
	b.Shows("#members", "kari (you)")
	b.Click("#more", "More")
	b.Click("#dialog button", "Doctor")
	b.Shows("#dialog dt", "ok version")
	b.Shows("#dialog dt", "policy")
	b.Click("#dialog-close", "Close")
	b.Fine()
	u.ends(t, os.Interrupt)
	if err := window.Say("still here"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Heard(ctx, "still here"); err != nil {
		t.Error("the room was closed with the page:", err)
	}
}
