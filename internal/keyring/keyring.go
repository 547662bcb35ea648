// Package keyring keeps the passwords of FTP servers in the keyring of the desktop: whatever
// provides the Secret Service on the session bus (GNOME Keyring, KWallet, KeePassXC).
//
// A Login names a password. It has the attributes that GNOME's network passwords have, so what
// its file manager has saved for a server is found here, and the other way round.
//
// Limits: the secret crosses the bus in the clear ("plain" sessions), which only programs of the same
// user can read, and these can ask the keyring themselves.
package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Login is who a password is for.
type Login struct {
	Host, User string
	Port       uint16 // 0 is the usual one
}

// Keyring is a connection to the Secret Service. Its methods are for one goroutine at a time.
type Keyring struct {
	conn    *dbus.Conn
	flags   dbus.Flags // of calls to the service
	session dbus.ObjectPath
}

// ErrNone means that there is no keyring to ask: no session bus, or nobody on it that keeps secrets.
var ErrNone = errors.New("there is no keyring on this session's bus")

// ErrNotFound means that the keyring has no such password.
var ErrNotFound = errors.New("the keyring has no such password")

const (
	name    = "org.freedesktop.secrets"
	service = dbus.ObjectPath("/org/freedesktop/secrets")

	serviceInterface    = "org.freedesktop.Secret.Service."
	collectionInterface = "org.freedesktop.Secret.Collection."
	itemInterface       = "org.freedesktop.Secret.Item."
	promptInterface     = "org.freedesktop.Secret.Prompt"

	nothing = dbus.ObjectPath("/") // in the place of an object
)

// answerTime is how long the service may take for what asks nobody.
const answerTime = 5 * time.Second

// secret is a password as the service hands it over.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// Address returns where the session bus is, as the environment tells, and "" if there is none. No
// bus is ever started: there is none at boot, or in a cron job, and none is needed.
func Address(getenv func(string) string) string {
	if list := getenv("DBUS_SESSION_BUS_ADDRESS"); list != "" {
		for address := range strings.SplitSeq(list, ";") {
			if strings.HasPrefix(address, "unix:") {
				return address
			}
		}
		return ""
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return ""
	}
	socket := filepath.Join(dir, "bus")
	if info, err := os.Stat(socket); err != nil || info.Mode()&os.ModeSocket == 0 {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket)
}

// Open connects to the keyring on the bus at address; with start, a service that is installed
// may be started for it. The error is ErrNone if there is none. The caller closes it.
func Open(ctx context.Context, address string, start bool) (*Keyring, error) {
	if address == "" {
		return nil, ErrNone
	}
	// The greeting of the bus heeds no deadline but the end of the connection's own context.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	greeting, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	inTime := context.AfterFunc(greeting, end)
	conn, err := dbus.Connect(address, dbus.WithContext(life))
	if !inTime() && err == nil {
		err = greeting.Err()
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	k := &Keyring{conn: conn}
	if !start {
		k.flags = dbus.FlagNoAutoStart
	}
	var output dbus.Variant
	if err := k.call(ctx, service, serviceInterface+"OpenSession", []any{"plain", dbus.MakeVariant("")}, &output, &k.session); err != nil {
		k.Close()
		if e, ok := errors.AsType[dbus.Error](err); ok && strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.") {
			return nil, fmt.Errorf("%w: %w", ErrNone, err)
		}
		return nil, err
	}
	return k, nil
}

// Close ends the connection.
func (k *Keyring) Close() { k.conn.Close() }

// call asks an object of the service, and stores the answer.
func (k *Keyring) call(ctx context.Context, object dbus.ObjectPath, method string, args []any, answer ...any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	call := k.conn.Object(name, object).CallWithContext(ctx, method, k.flags, args...)
	if call.Err != nil {
		return fmt.Errorf("%s: %w", method[strings.LastIndex(method, ".")+1:], call.Err)
	}
	return call.Store(answer...)
}

// Password returns the password of a login. If it is locked, the desktop asks the user to unlock it,
// for which ctx is waited.
func (k *Keyring) Password(ctx context.Context, l Login) (string, error) {
	items, err := k.find(ctx, l)
	if err != nil {
		return "", err
	}
	if len(items) == 0 {
		return "", ErrNotFound
	}
	var s secret
	if err := k.call(ctx, items[0], itemInterface+"GetSecret", []any{k.session}, &s); err != nil {
		return "", err
	}
	return string(s.Value), nil
}

// Store keeps the password of a login, in place of one that is there. The user may be asked, as
// by Password.
func (k *Keyring) Store(ctx context.Context, l Login, password string) error {
	var collection dbus.ObjectPath
	if err := k.call(ctx, service, serviceInterface+"ReadAlias", []any{"default"}, &collection); err != nil {
		return err
	}
	if collection == nothing {
		return errors.New("the keyring is not set up: it has no default collection")
	}
	if err := k.unlock(ctx, []dbus.ObjectPath{collection}); err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		"org.freedesktop.Secret.Item.Label":      dbus.MakeVariant("ftp://" + l.User + "@" + l.Host),
		"org.freedesktop.Secret.Item.Attributes": dbus.MakeVariant(l.attributes()),
	}
	var item, prompt dbus.ObjectPath
	err := k.call(ctx, collection, collectionInterface+"CreateItem",
		[]any{properties, secret{Session: k.session, Value: []byte(password), ContentType: "text/plain"}, true}, &item, &prompt)
	if err != nil {
		return err
	}
	return k.ask(ctx, prompt)
}

// Forget removes the password of a login; the error is ErrNotFound if there is none. The user may be
// asked, as by Password.
func (k *Keyring) Forget(ctx context.Context, l Login) error {
	items, err := k.find(ctx, l)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return ErrNotFound
	}
	for _, item := range items {
		var prompt dbus.ObjectPath
		if err := k.call(ctx, item, itemInterface+"Delete", nil, &prompt); err != nil {
			return err
		}
		if err := k.ask(ctx, prompt); err != nil {
			return err
		}
	}
	return nil
}

// attributes are those of GNOME's network passwords.
func (l Login) attributes() map[string]string {
	a := map[string]string{
		"xdg:schema": "org.gnome.keyring.NetworkPassword",
		"protocol":   "ftp", "server": strings.ToLower(l.Host), "user": l.User,
	}
	if l.Port != 0 {
		a["port"] = strconv.Itoa(int(l.Port))
	}
	return a
}

// find returns the items for a login, unlocked.
func (k *Keyring) find(ctx context.Context, l Login) ([]dbus.ObjectPath, error) {
	var open, locked []dbus.ObjectPath
	if err := k.call(ctx, service, serviceInterface+"SearchItems", []any{l.attributes()}, &open, &locked); err != nil {
		return nil, err
	}
	open, err := k.withPort(ctx, open, l)
	if err != nil || len(open) > 0 {
		return open, err
	}
	if locked, err = k.withPort(ctx, locked, l); err != nil || len(locked) == 0 {
		return nil, err
	}
	return locked, k.unlock(ctx, locked)
}

// withPort leaves those items that are for exactly this port: a search for the usual one finds all.
func (k *Keyring) withPort(ctx context.Context, items []dbus.ObjectPath, l Login) (kept []dbus.ObjectPath, err error) {
	for _, item := range items {
		var value dbus.Variant
		if err := k.call(ctx, item, "org.freedesktop.DBus.Properties.Get", []any{"org.freedesktop.Secret.Item", "Attributes"}, &value); err != nil {
			return nil, err
		}
		attributes, _ := value.Value().(map[string]string)
		if cmp.Or(attributes["port"], "0") == strconv.Itoa(int(l.Port)) {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// unlock makes objects readable.
func (k *Keyring) unlock(ctx context.Context, objects []dbus.ObjectPath) error {
	var unlocked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	if err := k.call(ctx, service, serviceInterface+"Unlock", []any{objects}, &unlocked, &prompt); err != nil {
		return err
	}
	return k.ask(ctx, prompt)
}

// ask lets the desktop ask the user, if there is something to ask, and waits for the answer.
func (k *Keyring) ask(ctx context.Context, prompt dbus.ObjectPath) error {
	if prompt == nothing {
		return nil
	}
	match := []dbus.MatchOption{dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(promptInterface), dbus.WithMatchMember("Completed")}
	if err := k.conn.AddMatchSignalContext(ctx, match...); err != nil {
		return err
	}
	defer k.conn.RemoveMatchSignal(match...)
	signals := make(chan *dbus.Signal, 8)
	k.conn.Signal(signals)
	defer k.conn.RemoveSignal(signals)
	if err := k.call(ctx, prompt, promptInterface+".Prompt", []any{""}); err != nil {
		return err
	}
	for {
		select {
		case s, ok := <-signals:
			switch {
			case !ok:
				return errors.New("the session's bus has ended")
			case s.Path != prompt || s.Name != promptInterface+".Completed" || len(s.Body) == 0:
			case s.Body[0] == true:
				return errors.New("the keyring stays locked: nobody has unlocked it")
			default:
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("the keyring stays locked: %w", context.Cause(ctx))
		}
	}
}
