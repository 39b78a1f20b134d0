package web

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("web.pictures", "", "write pictures of the page into this folder")

// A browser is Chromium with the page in it.
type browser struct {
	t   *testing.T
	ctx context.Context
	mu  sync.Mutex
	bad []string // what its console says, and whom it asked but us
}

// browse starts Chromium, so many pixels wide.
func browse(t *testing.T, s *Server, width, height int64, dark bool) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	b := chromium(t)
	b.size(width, height)
	b.dark(dark)
	b.at(s)
	return b
}

// chromium starts it.
func chromium(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is here (apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-gpu", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank")) // it lives as long as this context
	b.ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	return b
}

// at opens the page, signed in by a new token.
func (b *browser) at(s *Server) {
	b.t.Helper()
	bad := func(s string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bad = append(b.bad, s)
	}
	if err := chromedp.Listen(b.ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			bad(fmt.Sprint(e.ExceptionDetails))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				bad(fmt.Sprint(e.Entry))
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "http://"+s.Host()+"/") && !strings.HasPrefix(u, "data:") &&
				!strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "file:") {
				bad("it asked " + u)
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	b.do(call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), chromedp.Navigate(s.Link()))
}

// call is a command of the browser's protocol.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page: %s", err, b.text("body"))
	}
}

func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

func (b *browser) dark(on bool) {
	b.t.Helper()
	b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: map[bool]string{true: "dark", false: "light"}[on]}}}))
}

// eval is what an expression gives.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// text is what an element shows.
func (b *browser) text(selector string) string {
	out, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](
		fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)))
	return out
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for until := time.Now().Add(20 * time.Second); !eval[bool](b, "Boolean("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			b.t.Fatalf("never: %s\n%s\n%v", expression, b.text("body"), b.bad)
		}
	}
}

// shows waits until an element shows a text.
func (b *browser) shows(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.innerText.includes(%q))`, selector, text))
}

// click clicks what has a text, or a label.
func (b *browser) click(selector, text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() &&
		(e.innerText.includes(%[2]q) || (e.ariaLabel ?? "").includes(%[2]q)))`, selector, text)
	b.until(find)
	eval[chromedp.Void](b, "void "+find+".click()")
}

// say types a message and presses Enter.
func (b *browser) say(text string) {
	b.t.Helper()
	b.until(`!document.getElementById("words").disabled`)
	b.do(chromedp.SendKeys(chromedp.CSS("#words"), text+"\r"))
}

// picture keeps what is seen.
func (b *browser) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// fine has the console be empty, and nobody but us asked.
func (b *browser) fine() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.bad {
		b.t.Error(s)
	}
}
