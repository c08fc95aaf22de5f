package command

import "github.com/spf13/cobra"

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().Bool("json", false, usage)
}

// limitFlags adds the flags that say how much of a list to show.
func limitFlags(cmd *cobra.Command, limit int) {
	f := cmd.Flags()
	f.Int("limit", limit, "List this `number` at most")
	f.Bool("all", false, "List all of them, however many")
	f.String("cursor", "", "Go on after a page of --json, whose `next` says where")
	cmd.MarkFlagsMutuallyExclusive("limit", "all")
	jsonFlag(cmd, "Print the JSON of the API; with --all one line for each")
}

// limit is how many the flags of limitFlags ask for; 0 for all.
func (c *call) limit() (int, error) {
	if c.flags.Bool("all") {
		return 0, nil
	}
	limit := c.flags.Int("limit")
	if limit < 1 {
		return 0, newMisuse("--limit must be at least 1: use --all for all of them")
	}
	return limit, nil
}
