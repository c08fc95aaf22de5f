# Does what drive.mjs does, with the snippet in Ruby.
require_relative "verify"

$stdin.each_line(chomp: true) do |line|
  id, timestamp, signatures, now, body = line.split("|", -1).map { |value| value.empty? ? nil : value }
  puts verify_webhook(id, timestamp, signatures, body.to_s.unpack1("m"), now.to_i) ? "yes" : "no"
end
