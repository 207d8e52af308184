# A formula for a Homebrew tap: copy it to Formula/ there, and `brew install USER/TAP/proctracer` installs it. It builds
# the crate, so nothing is downloaded that macOS would quarantine. `make formula` writes a copy with the checksum of the
# crate: the checksum can't be committed here, because the crate contains the commit's hash.
class Proctracer < Formula
  desc "Process tracer on EndpointSecurity: what strace is to Linux"
  homepage "https://crates.io/crates/proctracer"
  url "https://static.crates.io/crates/proctracer/proctracer-0.2.0.crate"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on "rust" => :build
  depends_on macos: :ventura

  def install
    system "cargo", "install", *std_cargo_args
    man1.install "doc/proctracer.1"
    pkgshare.install "samples/developers-hour.jsonl"
    generate_completions_from_executable(bin/"proctracer", "--generate", shell_parameter_format: "complete-")
  end

  def caveats
    <<~EOS
      A live trace needs root and Full Disk Access for the app that runs it. To see what is missing:
        sudo proctracer --doctor
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/proctracer --version")

    recording = pkgshare/"developers-hour.jsonl"
    lines = shell_output("#{bin}/proctracer -r #{recording} -F line -e exit -n 2 --utc")
    assert_equal 2, lines.lines.length
    assert_match 'cat[21849] exit stat="exited 1"', lines
    assert_match ".TH proctracer 1", shell_output("#{bin}/proctracer --generate man")
    assert_path_exists man1/"proctracer.1"
  end
end
