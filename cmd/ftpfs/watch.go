package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"
)

// lookAgain is how often a status that is watched is asked for.
const lookAgain = time.Second

// looking asks mounts for their status, and complains to stderr of those that do not answer.
type looking func(stderr io.Writer) ([]status, error)

// watchStatus shows what look finds, once a second: on a terminal in a view of its own that
// keys end, elsewhere as text, one status below the other. It returns when the mounts have
// ended, or at a signal.
func watchStatus(out, stderr io.Writer, look looking, asJSON bool) error {
	signals := endSignals()
	defer signal.Stop(signals)
	if file, ok := out.(*os.File); ok && !asJSON && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		return watchTerminal(file, look, signals)
	}
	var before []status
	for {
		all, err := look(stderr)
		if err != nil {
			return err
		}
		if before != nil && !asJSON {
			fmt.Fprintln(out)
		}
		if err := showStatus(out, all, asJSON, before); err != nil || len(all) == 0 {
			return err
		}
		before = all
		select {
		case <-signals:
			return nil
		case <-time.After(lookAgain):
		}
	}
}

func watchTerminal(terminal *os.File, look looking, signals <-chan os.Signal) error {
	options := []tea.ProgramOption{tea.WithOutput(terminal), tea.WithoutSignalHandler()}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		options = append(options, tea.WithInput(nil)) // signals end it, keys do not
	}
	p := tea.NewProgram(watch{look: look}, options...)
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-signals:
			p.Quit()
		case <-done:
		}
	}()
	last, err := p.Run()
	close(done)
	<-finished
	if err != nil {
		return fail(exitUsage, "The terminal cannot be used: %w. Watch without it, by ftpfs status --watch | cat.", err)
	}
	w := last.(watch)
	if w.ended && w.err == nil {
		fmt.Fprintln(terminal, "Nothing is mounted by ftpfs any more.")
	}
	return w.err
}

// watch is the state of the view.
type watch struct {
	look          looking
	all, before   []status // of the latest look, and of the one before
	complaints    string   // of mounts that did not answer then
	ended         bool     // nothing is left to look at
	err           error    // why it could not be looked
	width, height int      // of the terminal, 0 as long as they are not known
}

// looked is what a look has found.
type looked struct {
	all        []status
	complaints string
	err        error
}

func (w watch) Init() tea.Cmd { return w.lookOnce }

func (w watch) lookOnce() tea.Msg {
	var complaints bytes.Buffer
	all, err := w.look(&complaints)
	return looked{all, complaints.String(), err}
}

func (w watch) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		w.width, w.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return w, tea.Quit
		case "ctrl+z":
			return w, tea.Suspend
		}
	case looked:
		w.before, w.all, w.complaints, w.err = w.all, msg.all, msg.complaints, msg.err
		if w.ended = msg.err != nil || len(msg.all) == 0 && msg.complaints == ""; w.ended {
			return w, tea.Quit
		}
		return w, tea.Tick(lookAgain, func(time.Time) tea.Msg { return w.lookOnce() })
	}
	return w, nil
}

func (w watch) View() tea.View {
	v := tea.NewView(w.draw())
	v.AltScreen = true
	v.WindowTitle = "ftpfs"
	return v
}
