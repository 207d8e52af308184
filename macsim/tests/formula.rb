# Installs and tests the formula without Homebrew:
#   ruby formula.rb FORMULA FOLDER PROGRAM
# in the folder of the crate. PROGRAM is what `cargo install` builds; it's installed below FOLDER.

require "fileutils"
require "pathname"

FORMULA, FOLDER, PROGRAM = ARGV

class Pathname
  def install(*files)
    mkpath
    files.each { |file| FileUtils.cp(file, self) }
  end
end

# The part of Homebrew's class that the formula uses.
class Formula
  class << self
    attr_reader :crate, :tests

    %i[desc homepage sha256 license depends_on].each { |name| define_method(name) { |*| nil } }

    def url(url)
      @crate = url
    end

    def test(&block)
      @tests = block
    end
  end

  def version
    self.class.crate[/-([0-9.]+)\.crate\z/, 1]
  end

  def bin
    Pathname(FOLDER)/"bin"
  end

  def man1
    Pathname(FOLDER)/"share/man/man1"
  end

  def pkgshare
    Pathname(FOLDER)/"share/proctracer"
  end

  def std_cargo_args
    ["--locked", "--root", FOLDER, "--path", "."]
  end

  def system(*command)
    raise command.inspect if command != ["cargo", "install", *std_cargo_args]

    bin.install PROGRAM
  end

  def generate_completions_from_executable(*command, shell_parameter_format:)
    %w[bash zsh fish].each do |shell|
      script = IO.popen([*command.map(&:to_s), "#{shell_parameter_format}#{shell}"], &:read)
      assert_match "proctracer", script
    end
  end

  def shell_output(command)
    output = `#{command}`
    raise "#{command}: #{$?}" unless $?.success?

    output
  end

  def assert_match(expected, text)
    raise "#{expected.inspect} isn't in #{text.inspect}" unless text.include?(expected)
  end

  def assert_equal(expected, value)
    raise "#{value.inspect} isn't #{expected.inspect}" if value != expected
  end

  def assert_path_exists(path)
    raise "#{path} isn't there" unless path.exist?
  end
end

load FORMULA
formula = Proctracer.new
formula.install
formula.instance_eval(&Proctracer.tests)
puts formula.caveats
