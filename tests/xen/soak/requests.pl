#!/usr/bin/perl
# requests.pl NAMES ADDRESS SECONDS SEED PREFIX VM...
#
# A manager that asks for something at random for so long: verbs that the VM's state allows
# and some that it does not, by rows of lxRequest under ids that begin with PREFIX, some by
# hand. Then it waits until all has ended, and brings all VMs to run. VMs are configured, so
# that their index is their place. A line each, with tabs between:
#   asked TIME ID VM VERB STATE OPEN SENSE ANSWER
#       ID: - by hand. OPEN: requests of the VM that had not ended. SENSE: 1 if the verb can
#       be done in that state, else 0. ANSWER: accepted, or the error
#   again TIME VM VERB       commitFailed, so it is sent again
#   ended ID VM VERB OUTCOME ACCEPTED STARTED ENDED ERROR
#       the row, which is removed then; times in seconds since midnight
#   stuck ID VM VERB         it has not ended
# Exit code 0: nothing is open, and all VMs run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Snmp;
use Time::HiRes qw(time sleep);

my ($names, $address, $seconds, $seed, $prefix, @vms) = @ARGV;
my $most_at_once = 3;    # requests of a VM; the agent takes 8
my $drain_s = 300;       # for all that is open at the end
my @memory = (96, 128);  # MiB, least and most

# As agent and MIB have it: the states in which a verb can be done.
my %allowed = (
	start => 'shutdown crashed suspended',
	shutdown => 'running',
	reboot => 'running',
	pause => 'running',
	unpause => 'paused',
	destroy => 'running paused',
	save => 'running',
	restore => 'suspended',
	memory => 'running paused',
);
my @verbs = sort keys %allowed;
my %brings = (shutdown => 'start', crashed => 'start', suspended => 'restore', paused => 'unpause');

sub sensible { return $allowed{ $_[0] } =~ /\b$_[1]\b/ ? 1 : 0 }
sub say_line { print join("\t", @_), "\n" }
sub pick { return $_[rand @_] }
sub arcs { return join '.', map { ord } split //, $_[0] }
sub id { return join '', map { chr } split /\./, $_[0] }

my %open;           # id as arcs => [VM, verb]
my $asked = 0;      # rows
my $by_hand = 0;    # rows that the agent made
my %last;           # VM => verb that was accepted last

sub open_of { my $vm = shift; return grep { $open{$_}[0] eq $vm } keys %open }
sub state_of { return map { label('lxVmState', $_) } get(map { ['lxVmState', $_] } @_) }

# Tells and removes what has ended; keeps what is open.
sub collect {
	my %state = column('lxRequestState');
	my %index = column('lxRequestVmIndex');
	for my $row (keys %state) {
		next unless $index{$row};    # came meanwhile
		$by_hand++ unless $open{$row};
		$open{$row} //= [$vms[$index{$row} - 1], '?'];
		ended($row, $state{$row}) if $state{$row} > number('lxRequestState.running');
	}
}
sub ended {
	my ($row, $state) = @_;
	my ($verb, $error, @times) = get(map { ["lxRequest$_", $row] } qw(Verb Error Accepted Started Ended));
	say_line('ended', id($row), $open{$row}[0], label('lxRequestVerb', $verb), label('lxRequestState', $state),
		(map { seconds($_) } @times), text($error));
	delete $open{$row};
	my $answer = set_surely('', 'removal', number('lxRequestStatus') . ".$row", 'i', 6);
	die 'the row of ' . id($row) . " cannot be removed: $answer\n" if $answer ne 'accepted';
}

# Sent again while the agent says that nothing was done.
sub set_surely {
	my ($vm, $verb, @words) = @_;
	for my $try (1 .. 10) {
		my $answer = set(@words);
		return $answer if $answer ne 'commitFailed';
		say_line('again', time, $vm, $verb);
		sleep 1;
	}
	return 'commitFailed';
}

# By hand only what is not the VM's last request, which it would join.
sub ask {
	my ($vm, $index, $verb, $state, $hand) = @_;
	my $memory = $verb eq 'memory' ? $memory[0] + int rand($memory[1] - $memory[0] + 1) : 0;
	my ($time, $busy, $id, @words) = (time, scalar(open_of($vm)), '-');
	if ($hand && ($last{$vm} // '') ne $verb) {
		@words = $memory ? (number('lxVmMemoryTarget') . ".$index", 'u', $memory)
			: (number('lxVmRequest') . ".$index", 'i', number("lxVmRequest.$verb"));
	} else {
		$id = $prefix . ++$asked;
		my %column = map { $_ => number("lxRequest$_") . '.' . arcs($id) } qw(Vm Verb Number Status);
		@words = ($column{Vm}, 's', $vm, $column{Verb}, 'i', number("lxRequestVerb.$verb"));
		push @words, $column{Number}, 'u', $memory if $memory;
		push @words, $column{Status}, 'i', 4;
	}
	my $answer = set_surely($vm, $verb, @words);
	say_line('asked', $time, $id, $vm, $verb, $state, $busy, sensible($verb, $state), $answer);
	return if $answer ne 'accepted';
	$last{$vm} = $verb;
	if ($id ne '-') { $open{ arcs($id) } = [$vm, $verb] }
	else { await_row($vm, $verb) }
}

# The row of a request by hand comes after the answer.
sub await_row {
	my $before = $by_hand;
	for my $try (1 .. 100) {
		collect();
		return if $by_hand > $before;
		sleep 0.1;
	}
	say_line('stuck', '-', @_);
}

# Rather a VM that has nothing to do, and a verb that makes sense.
sub ask_something {
	my $index = 1 + int rand @vms;
	my $vm = $vms[$index - 1];
	return if open_of($vm) && (open_of($vm) >= $most_at_once || rand > 0.3);
	my ($state) = state_of($index);
	my $sense = rand > 0.2 ? 1 : 0;
	my @fit = grep { sensible($_, $state) == $sense } @verbs;
	ask($vm, $index, pick(@fit ? @fit : @verbs), $state, rand > 0.8);
}

# until nothing is open
sub drain {
	my $end = time + $drain_s;
	do { sleep 0.5; collect() } while (%open && time < $end);
	say_line('stuck', id($_), @{ $open{$_} }) for keys %open;
	return !%open;
}

sub bring_all {
	for my $try (1 .. 5) {
		my @states = state_of(1 .. @vms);
		return 1 unless grep { $_ ne 'running' } @states;
		for my $i (0 .. $#vms) {
			ask($vms[$i], $i + 1, $brings{ $states[$i] }, $states[$i], 0) if $brings{ $states[$i] };
		}
		drain() or return 0;
	}
	return 0;
}

$| = 1;
srand $seed;
open_mib($names);
open_agent($address);
collect();
my $end = time + $seconds;
while (time < $end) {
	collect();
	ask_something();
	sleep rand;
}
exit(drain() && bring_all() ? 0 : 1);
