#!/usr/bin/perl
# figures.pl NAMES BEFORE WALK BEFORE-TIME WALK-TIME [AFTER]
#
# Holds what SNMP says (WALK: snmpbulkwalk -OnQUex, begun at WALK-TIME) against what the
# Dom0 said before and after (dom0/lab/truth; BEFORE was complete at BEFORE-TIME; seconds
# since 1970). A figure that was the same before and after must be equal, any other
# between the two. Prints the wrong ones, and then "compared N equal N between N wrong N".
# Without AFTER only whether WALK is of use: exit code 3 if it may be older than BEFORE, 4
# if a disk has no counters, as its QEMU did not tell them in time.
use strict;
use warnings;

my ($names_file, $before_file, $walk_file, $before_time, $walk_time, $after_file) = @ARGV;

sub lines { open my $f, '<', $_[0] or die "$_[0]: $!\n"; my @l = <$f>; chomp @l; return @l }

my %name_of = map { my ($n, $o) = split ' '; ($o =~ /\./ ? ($o => $n) : ()) } lines($names_file);
my %value;    # object => instance => value
# long ones go over several lines
for (split /\n(?=\.)/, join "\n", lines($walk_file)) {
	my ($oid, $text) = /^\.([\d.]+) = (.*)$/s or next;
	my @rest;
	until ($name_of{$oid}) { $oid =~ s/\.(\d+)$// or last; unshift @rest, $1 }
	$text = pack 'H*', $text =~ s/["\s]//gr if $text =~ /^"/;
	$value{ $name_of{$oid} }{ join '.', @rest } = $text if $name_of{$oid};
}

# DateAndTime in UTC: seconds since 1970
sub seconds {
	my ($year, $month, $day, $hour, $minute, $second, $tenth) = unpack 'nC6', $_[0];
	return 0 unless $year;
	my $days = 365 * ($year - 1970) + int(($year - 1969) / 4) + $day - 1;
	my @length = (31, $year % 4 ? 28 : 29, 31, 30, 31, 30, 31, 31, 30, 31, 30);
	$days += $length[$_] for 0 .. $month - 2;
	return (($days * 24 + $hour) * 60 + $minute) * 60 + $second + $tenth / 10;
}

# The pass ended up to a second before its age says, and began its duration earlier.
for (['lxAgentSampleAge', 'lxAgentSampleDuration'], ['lxAgentFiguresAge', 'lxAgentFiguresDuration']) {
	my ($age, $duration) = map { $value{$_}{0} } @$_;
	exit 3 unless defined $age && $walk_time - $age - 1 - $duration / 1000 > $before_time;
}

my %index = map { $value{lxVmName}{$_} => $_ } keys %{ $value{lxVmName} };
my %pool = map { $value{lxStoragePath}{$_} => $_ } keys %{ $value{lxStoragePath} };

sub instance {
	my ($kind, $name, $device) = $_[0] =~ m{^(?:(\w+):)?(.*?)(?:/(\d+))?$};
	return $name unless $kind;
	return $pool{ substr $_[0], 5 } if $kind eq 'pool';
	my $vm = $index{$name} // 'no-row';
	return $kind eq 'vm' ? $vm : $kind eq 'net' ? $vm . '.' . ($device + 1) : "$vm.$device";
}

sub published {
	my ($object, $key) = @_;
	my $instance = instance($key);
	my $v = defined $instance ? $value{$object}{$instance} : undef;
	return $v unless defined $v;
	return seconds($v) if $object eq 'lxVmStartTime';
	return join ':', map { sprintf '%02x', $_ } unpack 'C*', $v if $object eq 'lxNetMac';
	if ($object eq 'lxHostUpTime' && $v =~ /^(\d+):(\d+):(\d+):(\d+)\.(\d+)$/) {
		return ((($1 * 24 + $2) * 60 + $3) * 60 + $4) * 100 + $5;
	}
	return $v;
}

# object, key, source => [low, high]
sub truth { return map { my ($o, $k, $l, $h, $s) = split /\t/; ("$o\t$k\t$s" => [$l, $h]) } lines($_[0]) }
sub number { return $_[0] =~ /^-?[\d.]+(e\+?\d+)?$/ && $_[0] !~ /\..*\./ }

my %before = truth($before_file);
unless ($after_file) {
	exit 4 if grep { /^(lxDiskReads)\t(.*)\t/ && !defined published($1, $2) } keys %before;
	exit 0;
}
my %after = truth($after_file);
my %count = (compared => 0, equal => 0, between => 0, wrong => 0);
for my $figure (sort keys %before) {
	my ($object, $key, $source) = split /\t/, $figure;
	my ($b, $a) = ($before{$figure}, $after{$figure});
	next unless $a;    # gone meanwhile
	my $v = published($object, $key);
	my $still = "@$b" eq "@$a";
	my $good;
	if (!defined $v) {
		$good = 0;
	} elsif (!number($b->[0])) {
		$good = $v eq $b->[0] || $v eq $a->[0];
	} else {
		my ($low, $high) = ($b->[0] < $a->[0] ? $b->[0] : $a->[0], $b->[1] > $a->[1] ? $b->[1] : $a->[1]);
		$good = number($v) && $v >= $low - 1e-6 && $v <= $high + 1e-6;
	}
	$count{compared}++;
	$count{ $good ? $still ? 'equal' : 'between' : 'wrong' }++;
	printf "%s of %s is '%s', and by %s '%s' before, '%s' after\n", $object, $key, $v // 'missing', $source,
		join('..', @$b), join('..', @$a)
		unless $good;
}
print join(' ', map { "$_ $count{$_}" } qw(compared equal between wrong)), "\n";
exit($count{wrong} > 0 || $count{compared} == 0);
