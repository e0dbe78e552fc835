package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/job"
)

// shardFlag is the part of a mirror that a process does.
type shardFlag struct{ text string }

func (f *shardFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.text, "shard", "", "do only shard `I/N|auto` of the work; auto: the shard is that of the job")
}

// read returns the shard; the zero value is all of the mirror.
func (f *shardFlag) read(app *App) (mirror.Shard, error) {
	switch f.text {
	case "":
		return mirror.Shard{}, nil
	case "auto":
		return app.shardOfJob()
	}
	shard, err := mirror.ParseShard(f.text)
	if err != nil {
		return shard, usageError{aboutFlag("--shard", err)}
	}
	return shard, nil
}

// shardOfJob reads the variables that the engine of a job sets. AWS Batch sets both, an indexed job of
// Kubernetes only the index. They count from 0.
func (app *App) shardOfJob() (mirror.Shard, error) {
	engines := job.AllShardVariables()
	for _, engine := range engines {
		index, ok := app.Env(engine.Index)
		if !ok {
			continue
		}
		count, ok := app.Env(engine.Count)
		if !ok {
			return mirror.Shard{}, usagef("--shard auto: %s is set, but not %s, which is the number of shards", engine.Index, engine.Count)
		}
		i, errIndex := strconv.Atoi(index)
		n, errCount := strconv.Atoi(count)
		shard := mirror.Shard{Index: i + 1, Count: n}
		if errIndex != nil || errCount != nil || n < 1 || shard.Validate() != nil {
			return mirror.Shard{}, usagef("--shard auto: %s=%s and %s=%s are not the index, from 0, and the number of shards", engine.Index, index, engine.Count, count)
		}
		return shard, nil
	}
	return mirror.Shard{}, usagef("--shard auto: this is neither an array job of AWS Batch (%s) nor an indexed job of Kubernetes (%s); write --shard I/N",
		engines[0].Index, engines[1].Index)
}

// divide assigns each of several shards its part of the quotas of Amazon ECR.
func (app *App) divide(shard mirror.Shard) error {
	o, err := app.opener()
	if err != nil {
		return err
	}
	o.Processes = shard.Count
	return nil
}
