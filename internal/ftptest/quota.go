package ftptest

import (
	"bytes"
	"encoding/binary"
)

// quota writes the tables of proftpd's mod_quotatab_file and returns the lines that use
// them.
func (c *configuration) quota() (directives []string, err error) {
	const limitTable, tallyTable = 0x7626, 0x7644
	type limit struct {
		Name                              [81]byte
		Of                                uint32 // 20: a user
		PerSession                        uint8
		Kind                              uint32    // 1: hard
		Uploaded, Downloaded, Transferred float64   // bytes; below 0 any number
		Files                             [3]uint32 // the same; 0 any number
	}
	record := limit{Of: 20, Kind: 1, Uploaded: float64(c.opts.Quota), Downloaded: -1, Transferred: -1}
	copy(record.Name[:], realUser)
	var table bytes.Buffer
	binary.Write(&table, binary.LittleEndian, uint32(limitTable))
	binary.Write(&table, binary.LittleEndian, record)
	limits, err := c.file("quota.limits", table.String())
	if err != nil {
		return nil, err
	}
	tally, err := c.file("quota.tally", string(binary.LittleEndian.AppendUint32(nil, tallyTable)))
	return []string{
		"LoadModule mod_quotatab.c", "LoadModule mod_quotatab_file.c", "QuotaEngine on",
		"QuotaLimitTable file:" + limits, "QuotaTallyTable file:" + tally,
	}, err
}
