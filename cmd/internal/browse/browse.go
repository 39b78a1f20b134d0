// Package browse runs Chromium for tests of the page, and follows what it shows.
package browse

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what takes a moment, most for all of a test.
const patience, most = 30 * time.Second, 3 * time.Minute

// A Browser is Chromium with a page in it.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu  sync.Mutex
	bad []string // what its console says, and whom it asked but the page's own host
}

// Start starts Chromium, so many pixels wide and high, for a user who likes it dark or not.
func Start(t testing.TB, width, height int64, dark bool) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
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
	b := &Browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank")) // it lives as long as this context
	b.ctx, cancel = context.WithTimeout(ctx, most)
	t.Cleanup(cancel)
	b.Size(width, height)
	b.Dark(dark)
	return b
}

// Open opens a page of a host, and watches that it asks no other, and that nothing is wrong with it.
func (b *Browser) Open(host, link string) {
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
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
				bad(fmt.Sprint(e.Entry))
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "http://"+host+"/") && !strings.HasPrefix(u, "data:") &&
				!strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "file:") {
				bad("it asked " + u)
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	b.do(call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), chromedp.Navigate(link))
}

// call is a command of the browser's protocol.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *Browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page: %s", err, b.Text("body"))
	}
}

// Size gives the window another size.
func (b *Browser) Size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// Dark is whether the user likes it dark.
func (b *Browser) Dark(on bool) {
	b.t.Helper()
	b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: map[bool]string{true: "dark", false: "light"}[on]}}}))
}

// Eval is what an expression gives.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// Text is what an element shows.
func (b *Browser) Text(selector string) string {
	out, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](
		fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)))
	return out
}

// Until waits until an expression is true. While another page is loaded there is none.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && is {
			return
		}
		if time.Now().After(until) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("never: %s (%v)\n%s\n%v", expression, err, b.Text("body"), b.bad)
		}
	}
}

// Shows waits until an element shows a text.
func (b *Browser) Shows(selector, text string) {
	b.t.Helper()
	b.Until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.innerText.includes(%q))`, selector, text))
}

// Click clicks what has a text, or a label.
func (b *Browser) Click(selector, text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() &&
		(e.innerText.includes(%[2]q) || (e.ariaLabel ?? "").includes(%[2]q)))`, selector, text)
	b.Until(find)
	Eval[chromedp.Void](b, "void "+find+".click()")
}

// Say types a message and presses Enter.
func (b *Browser) Say(text string) {
	b.t.Helper()
	b.Until(`!document.getElementById("words").disabled`)
	b.do(chromedp.SendKeys(chromedp.CSS("#words"), text))
	b.Key("Enter", 13)
}

// Picture keeps what is seen.
func (b *Browser) Picture(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Fine has the console be empty, and nobody but us asked.
func (b *Browser) Fine() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.bad {
		b.t.Error(s)
	}
}

// Key presses a key of a name and a code.
func (b *Browser) Key(name string, code int64) {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown,
		input.DispatchKeyEventTypeKeyUp} {
		b.do(call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: name, Code: name,
			WindowsVirtualKeyCode: code, NativeVirtualKeyCode: code}))
	}
}

// Reload loads the page anew.
func (b *Browser) Reload() {
	b.t.Helper()
	b.do(chromedp.Reload())
}

// Fill writes into a field, and leaves nothing of what was there.
func (b *Browser) Fill(selector, text string) {
	b.t.Helper()
	b.Until(fmt.Sprintf("document.querySelector(%q)", selector))
	Eval[chromedp.Void](b, fmt.Sprintf(`void (document.querySelector(%q).value = %q)`, selector, text))
}

// Upload has a field for files take one.
func (b *Browser) Upload(selector, path string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}
