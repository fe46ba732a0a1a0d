# shellcheck shell=bash
# [xen_event_poweroff] [xen_event_panic] [xen_event_destroy] [xen_sample] [xen_cpu] [xen_figures]: on a
# real Xen that QEMU emulates; topics of tests/xen measure them. Sourced by bench.sh.

# all lines of a topic, and what it says of them
measure_topic() {
	tests/xen/check-xen.sh "$1" >"$LX_DIR/topic" 2>&1
	grep -E "^BENCH |^# (xen_|seed)|^not ok" "$LX_DIR/topic" | sed 's/^# /  /'
}
measure_xen_figures() { measure_topic figures; }
for name in event_poweroff event_panic event_destroy sample cpu; do
	eval "measure_xen_$name() { measure_topic measure; }"
done
