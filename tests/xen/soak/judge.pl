#!/usr/bin/perl
# judge.pl CHECK DIR NAMES VM...: what a soak left in DIR, by one of the checks below.
# Prints what is wrong, then a line with figures; exit code 0: all is well.
#
# DIR has
#   requests   what requests.pl printed
#   samples    lines of a look each second:
#     look TIME TOOK_MS OPEN LAST RESTARTS STATE...   before: what one GET said (lxAgentRequestsOpen,
#                              lxAgentJournalLast, restarts of all processes, lxVmState of each VM)
#     row NAME                 all of lxVmName
#     domain, process, helper  after it: what dom0/lab/sample says
#   events     of lxEventTable: SEQUENCE TYPE VM STATE REQUEST VERB OUTCOME; - is missing
#   traps      as snmptrapd wrote them
#   marks      NAME TIME: moments at which nothing was in flight and all VMs ran; what was
#              measured there holds for MARK_S from then on
use strict;
use warnings;

my ($check, $dir, $names_file, @vms) = @ARGV;
my $mark_s = 20;

# Bounds. Pages that a process had at the first mark and has at the last differ by what the
# allocator and SQLite's cache leave open.
my $growth_kib = 256;
my $answer_ms = 5000;

sub lines {
	open my $f, '<', "$dir/$_[0]" or die "$dir/$_[0]: $!\n";
	return map { chomp; $_ } <$f>;
}
open my $f, '<', $names_file or die "$names_file: $!\n";
my %number = map { split ' ' } <$f>;
my %label;
/^(\w+)\.(\w+)$/ and $label{$1}{ $number{$_} } = $2 for keys %number;

my $wrong = 0;
sub wrong { $wrong++ < 20 and print "@_\n" }
sub median { my @v = sort { $a <=> $b } @_; return $v[ @v / 2 ] }
sub least { return (sort { $a <=> $b } @_)[0] }
sub most { return (sort { $a <=> $b } @_)[-1] }

## What is in the files

my (@looks, @requests, @events);

sub read_looks {
	for (lines('samples')) {
		my ($kind, @w) = split ' ';
		if ($kind eq 'look') {
			my %look = (rows => [], domains => {}, processes => {}, helpers => {});
			@look{qw(time took open last restarts)} = splice @w, 0, 5;
			$look{states} = [@w];
			push @looks, \%look;
		} elsif (@looks) {
			my $look = $looks[-1];
			if ($kind eq 'row') { push @{ $look->{rows} }, @w }
			if ($kind eq 'domain') { $look->{domains}{ $w[0] } = $w[2] }
			if ($kind eq 'helper') { $look->{helpers}{ $w[1] }{ $w[0] }++ }
			if ($kind eq 'process') { $look->{processes}{ $w[0] } = [@w[1 .. 5]] }
		}
	}
}
sub read_requests { @requests = map { [split /\t/, $_, -1] } lines('requests') }
sub read_events {
	for (lines('events')) {
		my %e;
		@e{qw(sequence type vm state request verb outcome)} = split ' ';
		s/"//g for values %e;
		push @events, \%e;
	}
}
sub type { return $label{lxEventType}{ $_[0]{type} } // "type $_[0]{type}" }

# What of these was at a mark
sub marked {
	my ($mark) = @_;
	my ($from) = map { /^$mark (\S+)/ ? $1 : () } lines('marks');
	die "there is no mark $mark\n" unless $from;
	return grep { $_->{time} >= $from && $_->{time} < $from + $mark_s } @looks;
}

## The checks

# Every accepted request ended, once, by its row and by the journal; none was unknown. One that
# was asked of a VM that had nothing else to do was accepted or refused as the state says, and
# succeeded, unless it needs the guest's help.
sub check_requests {
	my (%accepted, %ended, %outcome, %why, %open);
	my %helped = map { $_ => 1 } qw(shutdown reboot save memory);
	my ($refused, $by_hand, $agents) = (0, 0, 0);
	for (@requests) {
		my ($kind, @w) = @$_;
		wrong("never ended: @w") if $kind eq 'stuck';
		if ($kind eq 'asked') {
			my ($time, $id, $vm, $verb, $state, $busy, $sense, $answer) = @w;
			my $good = $answer eq 'accepted';
			wrong("$verb of $vm, $state: $answer") unless $answer =~ /^(accepted|inconsistentValue)$/;
			wrong("$verb of $vm, which was $state and had nothing to do: $answer") if !$busy && $good != $sense;
			$refused++ unless $good;
			$by_hand++ if $good && $id eq '-';
			$accepted{$id} = [$busy, $verb] if $good && $id ne '-';
		} elsif ($kind eq 'ended') {
			my ($id, $vm, $verb, $outcome, $accepted, $started, $ended, $error) = @w;
			wrong("$id ended twice") if $ended{$id}++;
			$outcome{$outcome}++;
			$agents++ if $id =~ /^auto-/;
			$why{"$outcome $verb: $error"}++ if $outcome ne 'succeeded';
			wrong("$id, $verb of $vm: $outcome: $error") if $outcome !~ /^(succeeded|failed)$/;
			wrong("$id, $verb of $vm, which had nothing else to do: $error")
				if $outcome eq 'failed' && $accepted{$id} && !$accepted{$id}[0] && !$helped{$verb};
		}
	}
	$ended{$_} or wrong("$_ was accepted and has not ended") for keys %accepted;
	$agents == $by_hand + @vms or wrong("$by_hand requests by hand, and " . @vms . " starts before, made $agents rows");
	for (@events) {
		$open{ $_->{request} }++ if type($_) eq 'requestAccepted';
		wrong("$_->{request} finished, and was not accepted") if type($_) eq 'requestFinished' && --$open{ $_->{request} };
	}
	$open{$_} and wrong("the journal has no end of $_") for keys %open;
	keys %open == keys %ended or wrong(keys(%open) . ' requests in the journal, ' . keys(%ended) . ' rows');
	print "  $why{$_} $_\n" for sort keys %why;
	return keys(%accepted) . " accepted, $by_hand by hand, $refused refused; " . join ', ', map { "$outcome{$_} $_" } sort keys %outcome;
}

# One action of a VM at a time: by the rows' times, and by the helpers that were seen.
sub check_single {
	my (%of, $pairs, $most);
	for (grep { $_->[0] eq 'ended' && $_->[6] } @requests) {
		my (undef, $id, $vm, $verb, undef, undef, $started, $ended) = @$_;
		$ended += 86400 if $ended < $started;
		push @{ $of{$vm} }, [$started, $ended, "$id $verb"];
	}
	for my $vm (keys %of) {
		my @all = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @{ $of{$vm} };
		for my $i (1 .. $#all) {
			my ($before, $this) = @all[$i - 1, $i];
			$pairs++;
			wrong("$vm: $this->[2] began $this->[0], $before->[2] ended $before->[1]") if $this->[0] < $before->[1];
		}
	}
	$most = 0;
	my $seen = 0;
	for my $look (@looks) {
		my $helpers = $look->{helpers};
		$seen += keys %$helpers;
		$most = keys %$helpers if keys %$helpers > $most;
		keys %{ $helpers->{$_} } < 2 or wrong("$_ at $look->{time}: helpers " . join ' ', keys %{ $helpers->{$_} }) for keys %$helpers;
	}
	wrong('no helper was ever seen') unless $seen;
	return ($pairs // 0) . " pairs of requests one after the other; helpers seen $seen times, $most at once";
}

# Where a VM had nothing in flight from one look to the next, and no event, xl says the same.
sub check_agree {
	my (%open, %compared, $e);
	$e = 0;
	for my $i (0 .. $#looks - 1) {
		my ($look, $next) = @looks[$i, $i + 1];
		my %moved;
		next unless @{ $look->{states} } && @{ $next->{states} } && %{ $look->{domains} };
		for (; $e < @events && $events[$e]{sequence} <= $look->{last}; $e++) {
			my ($type, $vm) = (type($events[$e]), $events[$e]{vm});
			$open{$vm}++ if $type eq 'requestAccepted';
			$open{$vm}-- if $type eq 'requestFinished';
		}
		for (my $n = $e; $n < @events && $events[$n]{sequence} <= $next->{last}; $n++) { $moved{ $events[$n]{vm} }++ }
		for my $v (0 .. $#vms) {
			next if $open{$v + 1} || $moved{$v + 1};
			my $state = $label{lxVmState}{ $look->{states}[$v] // 0 } // 'none';
			my $xl = $look->{domains}{ $vms[$v] };
			my $good = $state eq 'running' ? defined $xl && $xl =~ /^[r-][b-]----$/
				: $state eq 'paused' ? defined $xl && $xl =~ /^[r-][b-]p---$/
				: $state =~ /^(suspended|shutdown|crashed)$/ && !defined $xl;
			wrong("at $look->{time} $vms[$v] is $state, and xl list says " . ($xl // 'nothing')) unless $good;
			$compared{$state}++;
		}
	}
	wrong('nothing could be compared') unless %compared;
	return 'compared: ' . join ', ', map { "$compared{$_} $_" } sort keys %compared;
}

# From 1 on, each once.
sub check_sequence {
	my $n = 0;
	for (@events) {
		$n++;
		wrong("event $_->{sequence} comes as number $n") if $_->{sequence} != $n;
		wrong("event $_->{sequence} is not in the journal") if $_->{type} !~ /^\d+$/;
		$n = $_->{sequence};
	}
	wrong("the last is $n, lxAgentJournalLast $looks[-1]{last}") if $n != $looks[-1]{last};
	return "$n events";
}

# What the journal has and is to be notified came, once; and nothing else.
sub check_notified {
	my (%came, $wanted);
	my $time = $number{lxEventTime};
	for (lines('traps')) {
		$came{$1}++ if /\.\Q$time\E\.(\d+) = /;
		wrong("nobody did that: $1") if /"([^"]* on the host)"/;
	}
	for (grep { $_->{type} =~ /^\d+$/ && $_->{type} < 100 } @events) {
		my $n = delete $came{ $_->{sequence} } // 0;
		$wanted++;
		wrong("$n notifications of event $_->{sequence}, " . type($_)) if $n != 1;
	}
	wrong("a notification of event $_, of which the journal says nothing") for sort keys %came;
	return ($wanted // 0) . ' notifications';
}

# The rows are the configured VMs, and never Domain-0.
sub check_rows {
	my $wanted = join ' ', sort @vms;
	for (@looks) { my $rows = join ' ', sort @{ $_->{rows} }; $rows eq $wanted or wrong("at $_->{time}: rows '$rows'") }
	my $with = grep { $_->{domains}{'Domain-0'} } @looks;
	wrong("xl list named Domain-0 in $with of " . @looks . ' looks') unless $with > @looks / 2;
	return @looks . ' looks';
}

# No process was restarted, none has more memory or descriptors at the last mark than at the first.
sub check_growth {
	my @marks = ([marked('first')], [marked('last')]);
	my @said;
	@{ $marks[$_] } or wrong("no looks at mark $_") for 0, 1;
	return 'nothing' if $wrong;
	for my $role (sort keys %{ $marks[0][0]{processes} }) {
		my @of = map { [map { $_->{processes}{$role} // () } @$_] } @marks;
		unless (@{ $of[1] }) { wrong("$role is gone"); next }
		my ($pid, $rss, $anonymous, $pss) = map { my $c = $_; [map { median(map { $_->[$c] } @$_) } @of] } 0 .. 3;
		my @descriptors = map { least(map { $_->[4] } @$_) } @of;
		wrong("$role was started anew: $pid->[0], $pid->[1]") if $pid->[0] != $pid->[1];
		for (['resident', $rss], ['anonymous', $anonymous]) {
			my ($what, $v) = @$_;
			wrong("$role: $what $v->[0] KiB, then $v->[1]") if $v->[1] - $v->[0] > $growth_kib;
		}
		wrong("$role: descriptors $descriptors[0], then $descriptors[1]") if $descriptors[1] > $descriptors[0];
		push @said, sprintf '  %-16s resident %d to %d KiB, anonymous %d to %d, PSS %d to %d; descriptors %d to %d',
			$role, @$rss, @$anonymous, @$pss, @descriptors;
	}
	$looks[0]{restarts} == $looks[-1]{restarts} or wrong("restarts: $looks[0]{restarts}, then $looks[-1]{restarts}");
	print "$_\n" for @said;
	return @said . ' processes; growth of ' . $growth_kib . ' KiB at most, and no descriptor';
}

# All GETs were answered in time.
sub check_answers {
	my @took = sort { $a <=> $b } map { $_->{took} } @looks;
	my @gaps = map { $looks[$_]{time} - $looks[$_ - 1]{time} } 1 .. $#looks;
	for (@looks) { wrong("at $_->{time} a GET took $_->{took} ms: @{$_->{states}}") if $_->{took} > $answer_ms || !@{ $_->{states} } }
	return sprintf '%d GETs of %d objects, median %d ms, 99th percentile %d ms, longest %d ms; a look each %.2f s (median), at most %.1f s',
		scalar @took, 4 + @vms, median(@took), $took[ int(@took * 0.99) ], $took[-1], median(@gaps), most(@gaps);
}

my %checks = (
	requests => \&check_requests,
	single => \&check_single,
	agree => \&check_agree,
	sequence => \&check_sequence,
	notified => \&check_notified,
	rows => \&check_rows,
	growth => \&check_growth,
	answers => \&check_answers,
);
die "there is no check $check\n" unless $checks{$check};
read_looks();
read_requests();
read_events();
@looks or wrong('there are no looks');
my $figures = $wrong ? '' : $checks{$check}->();
print "  and $wrong wrong in all\n" if $wrong > 20;
print "$check: $figures\n";
exit($wrong > 0);
