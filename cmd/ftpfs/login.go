package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ftpfs/internal/keyring"
)

// unlockTime is how long the desktop may ask its user to unlock the keyring.
const unlockTime = 2 * time.Minute

func loginCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "login [flags] URL",
		Short: "Keep a password in the keyring of the desktop",
		Long: `Asks for the password of the user in the URL, sees whether the server takes it, and keeps it
in the keyring of the desktop: GNOME Keyring, KWallet, KeePassXC or what else provides the
Secret Service. Mounts of this server by this user then ask for no password. Where GNOME's
file manager has saved a password for FTP, ftpfs finds that, too. ftpfs logout forgets it.`,
		Example: `  ftpfs login ftp://ann@example.org/
  ftpfs logout ftp://ann@example.org/`,
		Args: oneURL("login"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return login(cmd.Context(), &f, cmd.Flags(), args[0], systemSources(cmd.ErrOrStderr()), cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	f.registerConnection(cmd.Flags())
	return cmd
}

func logoutCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "logout [flags] URL",
		Short: "Forget a password that the keyring of the desktop keeps",
		Long:  "Removes from the keyring of the desktop what ftpfs login has put there for the user in the URL.",
		Args:  oneURL("logout"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := f.resolve(cmd.Flags(), args[0], os.Getenv)
			if err == nil {
				err = f.tls.secure(&t, cmd.Flags())
			}
			if err != nil {
				return err
			}
			t.User = cmp.Or(t.User, f.user)
			return logout(cmd.Context(), t, systemSources(cmd.ErrOrStderr()), cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	f.registerConnection(cmd.Flags())
	return cmd
}

// oneURL is for commands with one argument.
func oneURL(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fail(exitUsage, "ftpfs %s needs one URL, as in: ftpfs %s ftp://user@host/.", command, command)
		}
		return nil
	}
}

// keyringLogin is what the keyring knows a target's user by.
func keyringLogin(t target, user string) keyring.Login {
	l := keyring.Login{Host: t.Host, User: user, Port: t.Port}
	if t.Port == t.usualPort() {
		l.Port = 0
	}
	return l
}

// fromKeyring finds the password of user, if the desktop has a keyring that knows it. What
// goes wrong there is no reason not to ask.
func (src sources) fromKeyring(t target, user string) (password string, found bool) {
	ctx, cancel := context.WithTimeout(context.Background(), unlockTime)
	defer cancel()
	k, err := keyring.Open(ctx, src.bus, false)
	if err == nil {
		defer k.Close()
		password, err = k.Password(ctx, keyringLogin(t, user))
	}
	if err != nil && !errors.Is(err, keyring.ErrNone) && !errors.Is(err, keyring.ErrNotFound) {
		fmt.Fprintf(src.warn, "ftpfs: The keyring does not tell the password: %s.\n", printable(err.Error()))
	}
	return password, err == nil
}

// login keeps a password that the server has taken.
func login(ctx context.Context, f *flags, given *pflag.FlagSet, address string, src sources, stdout io.Writer) error {
	t, err := f.resolve(given, address, os.Getenv)
	if err != nil {
		return err
	}
	if err := f.checkConnection(); err != nil {
		return err
	}
	if err := f.tls.secure(&t, given); err != nil {
		return err
	}
	t.User = cmp.Or(t.User, f.user)
	if t.User == "" {
		return fail(exitUsage, "There is no user whose password is to be kept: name one in the URL, as in ftp://user@host/, or with --user.")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k, err := keyring.Open(ctx, src.bus, true)
	if err != nil {
		return fail(exitUsage, "The password cannot be kept: %w. Without a desktop write it into a file for --credentials, or into ~/.netrc.", err)
	}
	defer k.Close()
	if !t.HasPassword {
		if t.Password, err = src.newPassword(t, f); err != nil {
			return err
		}
		t.HasPassword = true
	}
	defer onInterrupt(cancel)()
	end, err := openEndpoint(ctx, f, src, t, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	end.client.Close()
	ctx, cancel = context.WithTimeout(ctx, unlockTime)
	defer cancel()
	if err := k.Store(ctx, keyringLogin(t, t.User), t.Password); err != nil {
		return fail(exitUsage, "The password cannot be kept: %w.", err)
	}
	fmt.Fprintf(stdout, "The keyring keeps the password of %s at %s.\n", printable(t.User), printable(t.hostName()))
	return nil
}

// newPassword reads the password that is to be kept: not one that is kept somewhere else.
func (src sources) newPassword(t target, f *flags) (password string, err error) {
	switch {
	case f.passwordFile != "":
		return src.readPasswordFile(f.passwordFile)
	case f.passwordStdin:
		password, err = firstLine(src.stdin)
	default:
		password, err = src.prompt(fmt.Sprintf("Password of %s at %s: ", t.User, t.hostName()))
	}
	if errors.Is(err, errNoTerminal) {
		return "", fail(exitUsage, "There is no terminal to ask for the password: give it by --password-stdin or --password-file.")
	} else if err != nil {
		return "", fail(exitUsage, "No password was entered: %w.", err)
	}
	return password, nil
}

// logout forgets the password of the user in t.
func logout(ctx context.Context, t target, src sources, stdout io.Writer) error {
	if t.User == "" {
		return fail(exitUsage, "There is no user whose password is to be forgotten: name one in the URL, as in ftp://user@host/.")
	}
	ctx, cancel := context.WithTimeout(ctx, unlockTime)
	defer cancel()
	k, err := keyring.Open(ctx, src.bus, true)
	if err == nil {
		defer k.Close()
		err = k.Forget(ctx, keyringLogin(t, t.User))
	}
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return fail(exitUsage, "The keyring has no password of %s at %s.", t.User, t.hostName())
	case err != nil:
		return fail(exitUsage, "The password cannot be forgotten: %w.", err)
	}
	fmt.Fprintf(stdout, "The keyring has forgotten the password of %s at %s.\n", printable(t.User), printable(t.hostName()))
	return nil
}
