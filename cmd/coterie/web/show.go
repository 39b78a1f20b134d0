package web

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Show opens a browser at a link, which has a token in it. A program's arguments can be seen by all
// users of a computer, so that the browser is given a private file that leads to the link. The
// file goes when the token is good no more.
func Show(dir, link string, open func(path string) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, fmt.Sprintf("web-%d-*.html", os.Getpid())) // mode 0600
	if err != nil {
		return err
	}
	time.AfterFunc(tokenTime, func() { os.Remove(f.Name()) })
	_, err = fmt.Fprintf(f, "<!doctype html><meta charset=\"utf-8\"><title>Coterie</title>"+
		"<meta http-equiv=\"refresh\" content=\"0; url=%[1]s\"><a href=\"%[1]s\">Coterie</a>\n", html.EscapeString(link))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = open(f.Name())
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Forget removes what this process left in a folder.
func Forget(dir string) {
	all, _ := filepath.Glob(filepath.Join(dir, fmt.Sprintf("web-%d-*", os.Getpid())))
	for _, path := range all {
		os.RemoveAll(path)
	}
}

// Browser opens a file in the user's browser.
func Browser(path string) error {
	switch runtime.GOOS {
	case "windows":
		return start("rundll32", "url.dll,FileProtocolHandler", path)
	case "darwin":
		return start("open", path)
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return fmt.Errorf("there is no screen here")
	}
	return start("xdg-open", path)
}

func start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}
