#!/usr/bin/perl
# look.pl NAMES ADDRESS DIR SAMPLE VM...
#
# Looks each second until there is a file DIR/end: at the agent by SNMP, then at Dom0 by SAMPLE, a
# command that runs dom0/lab/sample there; and reads the journal on. VMs are configured,
# so that their index is their place. Writes, as judge.pl reads it,
#   DIR/samples
#     look TIME TOOK_MS OPEN LAST RESTARTS STATE...   what one GET said, and how long it took:
#         lxAgentRequestsOpen, lxAgentJournalLast, restarts of all processes, lxVmState of
#         each VM; nothing after TOOK_MS: no answer came
#     row NAME              all of lxVmName
#     domain ..., process ..., helper ...             by Dom0, after the GET
#   DIR/events   SEQUENCE TYPE VM STATE REQUEST VERB OUTCOME; what is missing is -
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Open2;
use Snmp;
use Time::HiRes qw(time sleep);

my ($names, $address, $dir, $sample, @vms) = @ARGV;
my $last = 0;       # event that the journal has
my $read_to = 0;    # and that we have
my ($samples, $events, $from_dom0, $to_dom0);

sub look_outside {
	my $begin = time;
	my @values = eval {
		get(map { [split ' '] } 'lxAgentRequestsOpen 0', 'lxAgentJournalLast 0', 'lxAgentHypervisorRestarts 0',
			'lxAgentEngineRestarts 0', 'lxAgentAgentxRestarts 0', map { "lxVmState $_" } 1 .. @vms);
	};
	my $took = int((time - $begin) * 1000);
	print $samples join(' ', 'look', $begin, $took);
	if (@values) {
		$_ //= 0 for @values;
		print $samples " $values[0] $values[1] ", $values[2] + $values[3] + $values[4], " @values[5 .. $#values]";
		$last = $values[1];
	}
	print $samples "\n";
	my %name = eval { column('lxVmName') };
	print $samples 'row ', text($_), "\n" for values %name;
}

sub look_inside {
	print $to_dom0 "look\n";
	while (my $line = <$from_dom0>) {
		return 1 if $line eq ".\n";
		print $samples $line;
	}
	return 0;
}

sub read_events {
	while ($read_to < $last) {
		my $to = $read_to + 8 < $last ? $read_to + 8 : $last;
		my @columns = map { "lxEvent$_" } qw(Type VmIndex State Request Verb Outcome);
		my @values = eval { get(map { my $n = $_; map { [$_, $n] } @columns } $read_to + 1 .. $to) };
		return unless @values;
		while (my @event = splice @values, 0, @columns) {
			$event[3] = text($event[3]) if $event[3];
			print $events join(' ', ++$read_to, map { $_ // '-' } @event), "\n";
		}
	}
}

open_mib($names);
open_agent($address);
open $samples, '>>', "$dir/samples" or die "$dir/samples: $!\n";
open $events, '>>', "$dir/events" or die "$dir/events: $!\n";
$_->autoflush(1) for $samples, $events;
my $pid = open2($from_dom0, $to_dom0, $sample);
my $next = time;
for (my $over = 0; !$over;) {
	$over = -e "$dir/end";    # once more after it
	look_outside();
	look_inside() or die "Dom0 does not answer\n";
	read_events();
	my $rest = ($next += 1) - time;
	if ($rest > 0) { sleep $rest }
	else { $next = time }
}
close $to_dom0;
waitpid $pid, 0;
