package report_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// browser is a headless Chromium, controlled by its developer tools protocol over two
// pipes: messages of JSON that end with a zero byte.
type browser struct {
	t       *testing.T
	out     *os.File
	in      *bufio.Reader
	session string
	id      int
	events  []browserEvent // since the last take
}

type browserEvent struct {
	Method string
	Params json.RawMessage
}

// newBrowser starts a browser with an empty page. It skips the test if there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium on this machine: the page is not photographed")
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(
		program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank",
	)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not start here: %v", err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, out: ourOut, in: bufio.NewReader(ourIn)}
	late := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		b.session = ""
		_ = b.send("Browser.close", nil)
		_, _ = io.Copy(io.Discard, b.in)
		_ = cmd.Wait()
		late.Stop()
		ourOut.Close()
		ourIn.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params any) error {
	b.id++
	message := map[string]any{"id": b.id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = b.out.Write(append(text, 0))
	return err
}

// next reads one message.
func (b *browser) next() (id int, result json.RawMessage, err error) {
	text, err := b.in.ReadBytes(0)
	if err != nil {
		return 0, nil, err
	}
	var message struct {
		ID     int
		Result json.RawMessage
		Error  *struct{ Message string }
		browserEvent
	}
	if err := json.Unmarshal(text[:len(text)-1], &message); err != nil {
		return 0, nil, err
	}
	if message.Error != nil {
		return 0, nil, fmt.Errorf("%s", message.Error.Message)
	}
	if message.Method != "" {
		b.events = append(b.events, message.browserEvent)
	}
	return message.ID, message.Result, nil
}

// call sends a command and reads until it is answered.
func (b *browser) call(method string, params, into any) {
	b.t.Helper()
	if err := b.send(method, params); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		id, result, err := b.next()
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		if id != b.id {
			continue
		}
		if into != nil {
			if err := json.Unmarshal(result, into); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// open loads a page and waits until it is complete.
func (b *browser) open(url string) {
	b.t.Helper()
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for {
		for _, e := range b.events {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		if _, _, err := b.next(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// show sets the width, media type and color scheme of the window.
func (b *browser) show(width int, media, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"media": media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// eval runs a JavaScript function in the page and decodes its result.
func (b *browser) eval(function string, into any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": "(" + function + ")()", "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", function, answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, into); err != nil {
		b.t.Fatal(err)
	}
}

// photograph saves the whole page as a picture.
func (b *browser) photograph(file string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	b.save(file, shot.Data)
}

// print saves the page as printed.
func (b *browser) print(file string) {
	b.t.Helper()
	var paper struct{ Data string }
	b.call("Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true, "paperWidth": 8.27, "paperHeight": 11.69}, &paper)
	b.save(file, paper.Data)
}

func (b *browser) save(file, data string) {
	b.t.Helper()
	content, err := base64.StdEncoding.DecodeString(data)
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
