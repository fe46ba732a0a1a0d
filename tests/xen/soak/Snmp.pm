# Snmp: what the programs of a soak share: numbers and names of the MIB, and net-snmp's tools.
# open_mib() and open_agent() come first.
package Snmp;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(open_mib open_agent number label get column set text seconds);

my (%number, %label, $address);

# The output of mib-names.awk
sub open_mib {
	open my $f, '<', $_[0] or die "$_[0]: $!\n";
	%number = map { split ' ' } <$f>;
	/^(\w+)\.(\w+)$/ and $label{$1}{ $number{$_} } = $2 for keys %number;
}
sub open_agent { $address = $_[0] }

# number('lxVmState') is an OID, number('lxVmState.running') a value
sub number { return $number{ $_[0] } // die "$_[0] is not in the MIB\n" }
# label(OBJECT, VALUE): its name, or "?"
sub label { return $label{ $_[0] }{ $_[1] // '' } // '?' }

# What a tool says, on stdout or stderr, and its exit code. Nothing is sent twice: who looks
# for what is lost wants to see it.
sub tool {
	my ($tool, @words) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec 'timeout', '60', $tool, qw(-v2c -c steer -t 30 -r 0 -OnQUex), $address, @words;
		exit 127;
	}
	my $said = do { local $/; <$pipe> } // '';
	close $pipe;
	return ($said, $? >> 8);
}

# get([OBJECT, INDEX]...): their values; undef for what is not there. Dies if no answer comes.
sub get {
	my ($said, $rc) = tool('snmpget', map { number($_->[0]) . ".$_->[1]" } @_);
	die "no answer: $said" if $rc;
	# a long one goes over several lines
	my @values = map { s/^[^=]*= ?//r =~ s/\s+$//r } split /\n(?=\.)/, $said;
	return map { /^No Such/ ? undef : $_ } @values;
}

# column(OBJECT): index => value, of all rows
sub column {
	my $oid = number($_[0]);
	my ($said, $rc) = tool('snmpbulkwalk', $oid);
	die "no answer: $said" if $rc;
	my %value;
	for (split /\n(?=\.)/, $said) {
		my ($index, $text) = /^\.\Q$oid\E\.(\S+) = ?(.*)/s or next;
		$value{$index} = $text =~ s/\s+$//r;
	}
	return %value;
}

# set(OID, TYPE, VALUE, ...): "accepted", or the error
sub set {
	my ($said, $rc) = tool('snmpset', @_);
	return 'accepted' unless $rc;
	return $said =~ /Reason: (\w+)/ ? $1 : $said =~ s/\s+/ /gr;
}

# Texts come as hexadecimal octets.
sub text { return pack 'H*', ($_[0] // '') =~ s/["\s]//gr }

# Seconds since midnight of a DateAndTime in UTC, with tenths; 0: never
sub seconds {
	my ($year, undef, undef, $hour, $minute, $second, $tenth) = unpack 'nC6', text($_[0]);
	return $year ? $hour * 3600 + $minute * 60 + $second + $tenth / 10 : 0;
}

1;
