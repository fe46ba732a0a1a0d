#!/usr/bin/perl
# A small client of simxen's hypervisor socket (tools/simxen/protocol.h), for tests/sim/simxen.sh.
#
# usage: simxen_client.pl SOCKET sample [N]     prints "DOMAINS OCTETS MS" of the last of N samples
#                                list           prints "DOMID FLAGS REASON NAME" of each domain
#                                watch          prints a line once it listens, then each change
#                                version N      says hello in version N, prints the type of the answer
#                                garbage        sends octets that mean nothing; ends when hung up on
#                                deaf           subscribes and never reads
#                                act VERB DOMID prints "FAILED DOMID TEXT"
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

my ($path, $what, @rest) = @ARGV;
my ($HELLO, $LIST, $SAMPLE, $ACT, $SUBSCRIBE, $DOMAINS, $END, $DONE) = (1, 2, 3, 4, 5, 17, 21, 22);
my $DOMAIN_SIZE = 240;
my $socket = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!\n";
$| = 1;

sub put {
	my ($type, $body) = @_;
	syswrite $socket, pack('LSSL', length $body, $type, 0, 7) . $body;
}

sub get_octets {
	my ($count) = @_;
	my $all = '';
	while (length $all < $count) {
		my $n = sysread $socket, $all, $count - length $all, length $all;
		exit 3 unless $n;
	}
	return $all;
}

sub get {
	my ($length, $type) = unpack 'LSSL', get_octets(12);
	return ($type, $length ? get_octets($length) : '');
}

# All messages of one answer, as [type, body].
sub ask {
	my ($type) = @_;
	my @all;
	put($type, '');
	do { push @all, [get()] } until $all[-1][0] == $END;
	return @all;
}

if ($what eq 'garbage') {
	syswrite $socket, "\xff" x 5000;
	while (sysread $socket, my $x, 4096) { }
	exit 0;
}
put($HELLO, pack('LL', 0x6d697873, $what eq 'version' ? $rest[0] : 2));
my ($type) = get();
if ($what eq 'version') {
	print "$type\n";
} elsif ($what eq 'sample') {
	my ($began, $octets, $domains, $ms);
	for (1 .. ($rest[0] // 1)) {
		$began = time;
		($octets, $domains) = (0, 0);
		for (ask($SAMPLE)) {
			$octets += length $_->[1];
			$domains += length($_->[1]) / $DOMAIN_SIZE if $_->[0] == $DOMAINS;
		}
		$ms = (time - $began) * 1000;
	}
	printf "%g %d %.2f\n", $domains, $octets, $ms;
} elsif ($what eq 'list') {
	for (grep { $_->[0] == $DOMAINS } ask($LIST)) {
		for my $row (unpack "(a$DOMAIN_SIZE)*", $_->[1]) {
			my ($domid, $flags, $reason, undef, $name) = unpack 'LLLLZ64', $row;
			print "$domid $flags $reason $name\n";
		}
	}
} elsif ($what eq 'watch') {
	put($SUBSCRIBE, '');
	get();
	print "listens\n";
	print join(' ', unpack 'LL', (get())[1]), "\n" while 1;
} elsif ($what eq 'deaf') {
	put($SUBSCRIBE, '');
	print "listens\n";
	sleep 1 while 1;
} elsif ($what eq 'act') {
	put($ACT, pack('LLLLQ a512 a512', $rest[0], $rest[1], 0, 0, 0, '', ''));
	print join(' ', unpack 'LLZ*', (get())[1]), "\n";
} else {
	die "$what: what is that?\n";
}
