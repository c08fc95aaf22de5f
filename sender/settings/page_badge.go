package settings

import "github.com/manysends/caddy-webhooks/sender"

// badge is a state as pages show it: an icon and a word, in a tone that says
// nothing that these do not.
type badge struct {
	Icon, Tone, Text string
}

// stateBadge is that of an endpoint.
func stateBadge(s sender.State) badge {
	switch s {
	case sender.StateActive:
		return badge{"ok", "good", "Active"}
	case sender.StateTested:
		return badge{"test", "calm", "Tested, inactive"}
	case sender.StatePaused:
		return badge{"pause", "warn", "Paused"}
	case sender.StateDisabled:
		return badge{"fail", "bad", "Disabled"}
	default:
		return badge{"off", "calm", "Inactive"}
	}
}

// statusBadge is that of a delivery.
func statusBadge(d *sender.Delivery) badge {
	switch d.Status {
	case sender.Succeeded:
		return badge{"ok", "good", "Succeeded"}
	case sender.Failed:
		return badge{"fail", "bad", "Failed"}
	case sender.Blocked:
		return badge{"block", "bad", "Blocked"}
	case sender.Cancelled:
		return badge{"off", "calm", "Cancelled"}
	default:
		if d.Attempts > d.ScheduleStart {
			return badge{"retry", "warn", "Retrying"}
		}
		return badge{"wait", "calm", "Pending"}
	}
}

// verdictBadge is that of an attempt.
func verdictBadge(a *sender.Attempt) badge {
	switch a.Verdict {
	case sender.VerdictSucceeded:
		return badge{"ok", "good", "Succeeded"}
	case sender.VerdictGone:
		return badge{"fail", "bad", "Gone"}
	case sender.VerdictBlocked:
		return badge{"block", "bad", "Blocked"}
	default:
		return badge{"fail", "bad", "Failed"}
	}
}

// replayBadge is that of a replay.
func replayBadge(s sender.ReplayState) badge {
	switch s {
	case sender.ReplayDone:
		return badge{"ok", "good", "Done"}
	case sender.ReplayCancelled:
		return badge{"off", "calm", "Stopped"}
	case sender.ReplayFailed:
		return badge{"fail", "bad", "Failed"}
	default:
		return badge{"retry", "warn", "Running"}
	}
}
