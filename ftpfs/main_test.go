package ftpfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"ftpfs/internal/fusetest"
)

func TestMain(m *testing.M) {
	fusetest.FixSeed()
	goleak.VerifyTestMain(m)
}
