// replay_main.cpp - runs a fuzz target without a fuzzer: on every file that the command line names, then on mutations
// of them that depend on nothing but their numbers. With g++ and its sanitizers this is what script/test runs;
// libFuzzer brings a main of its own (script/fuzz).
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;
constexpr size_t kMaxBytes = 1 << 20;

constexpr const char* kUsage =
    "usage: fuzz_TARGET [--mutations N] [--seconds S] [--only M] FILE_OR_FOLDER...\n"
    "Runs the target on every file, then on N mutations of each (default 200), or on mutations for S seconds.\n"
    "--only M: nothing but mutation M of each file; a crash prints that number.\n"
    "examples:\n"
    "  fuzz_nifti tests/fuzz/seeds/nifti\n"
    "  fuzz_nifti --seconds 300 tests/fuzz/seeds/nifti\n"
    "  fuzz_nifti --only 1234 tests/fuzz/seeds/nifti/int16.nii\n";

char running[4400] = "";  // what a crash reports; filled before each run

void report_crash() {
  const size_t length = std::strlen(running);
  if (write(STDERR_FILENO, running, length) < 0) return;
}

void on_signal(int number) {
  report_crash();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void watch_for_crashes() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(report_crash);
#endif
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, on_signal);
}

// splitmix64: the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t x = state_ += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  size_t below(size_t n) { return static_cast<size_t>(bits() % n); }

 private:
  uint64_t state_;
};

// Numbers at which arithmetic on sizes and floats tends to break, as the bytes that a file would hold.
template <class Number>
void overwrite(Bytes& bytes, Random& random, Number value) {
  if (bytes.size() < sizeof value) return;
  uint8_t raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  if (random.below(4) == 0) std::reverse(std::begin(raw), std::end(raw));
  std::memcpy(bytes.data() + random.below(bytes.size() - sizeof value + 1), raw, sizeof value);
}

// Most numbers of a file lie at its beginning: half of all places are taken from its first kilobyte.
size_t place(const Bytes& bytes, Random& random) {
  return random.below(random.below(2) == 0 ? std::min<size_t>(bytes.size(), 1024) : bytes.size());
}

void mutate_once(Bytes& bytes, Random& random) {
  static constexpr int64_t kIntegers[] = {
      0, 1, -1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  static constexpr double kDoubles[] = {
      0, -0.0, 1, -1, 0.5, 1e-30, 1e30, -1e300, 4294967296.0, __builtin_inf(), __builtin_nan("")};
  if (bytes.empty()) bytes.push_back(static_cast<uint8_t>(random.bits()));
  const int64_t integer = kIntegers[random.below(std::size(kIntegers))];
  const double real = kDoubles[random.below(std::size(kDoubles))];
  switch (random.below(11)) {
    case 0: bytes[place(bytes, random)] ^= static_cast<uint8_t>(1u << random.below(8)); break;
    case 1: bytes[place(bytes, random)] = static_cast<uint8_t>(random.bits()); break;
    case 2: bytes[place(bytes, random)] = static_cast<uint8_t>(integer); break;
    case 3: overwrite(bytes, random, static_cast<int16_t>(integer)); break;
    case 4: overwrite(bytes, random, static_cast<int32_t>(integer)); break;
    case 5: overwrite(bytes, random, integer); break;
    case 6: overwrite(bytes, random, static_cast<float>(real)); break;
    case 7: overwrite(bytes, random, real); break;
    case 8: bytes.resize(random.below(bytes.size()) + 1); break;
    case 9: {  // a piece once more
      const size_t from = random.below(bytes.size()), count = std::min(bytes.size() - from, random.below(64) + 1);
      if (bytes.size() + count > kMaxBytes) break;
      const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                        bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size() + 1)), piece.begin(),
                   piece.end());
      break;
    }
    default: {  // a piece less
      const size_t from = random.below(bytes.size()), count = std::min(bytes.size() - from, random.below(64) + 1);
      bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                  bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
    }
  }
}

Bytes mutation(const Bytes& seed, uint64_t number) {
  Random random(number);
  Bytes bytes = seed;
  for (size_t i = random.below(4) + 1; i > 0; --i) mutate_once(bytes, random);
  return bytes;
}

void run(const std::string& name, const Bytes& bytes, long number) {
  if (number < 0) {
    std::snprintf(running, sizeof running, "\nfuzz: stopped by %s as it is\n", name.c_str());
  } else {
    std::snprintf(running, sizeof running, "\nfuzz: stopped by --only %ld %s\n", number, name.c_str());
  }
  // A copy of exactly this size, so that a read beyond its end is seen.
  const Bytes exact(bytes);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

bool number_of(std::string_view text, long& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() && value >= 0;
}

int usage(const std::string& problem) {
  std::fprintf(stderr, "%s\n%s", problem.c_str(), kUsage);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  long mutations = 200, seconds = -1, only = -1;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    long* const option = argument == "--mutations" ? &mutations
                         : argument == "--seconds" ? &seconds
                         : argument == "--only"    ? &only
                                                   : nullptr;
    if (argument == "--help") return std::fputs(kUsage, stdout) < 0;
    if (option) {
      if (++i == argc || !number_of(argv[i], *option)) return usage(argument + " needs a whole number");
    } else if (fs::is_directory(argument)) {
      for (const auto& entry : fs::recursive_directory_iterator(argument)) {
        if (entry.is_regular_file()) files.push_back(entry.path().string());
      }
    } else if (fs::is_regular_file(argument)) {
      files.push_back(argument);
    } else {
      return usage("no such file or folder: " + argument);
    }
  }
  if (files.empty()) return usage("no file to begin with");
  std::sort(files.begin(), files.end());  // the order of a folder is the file system's

  std::vector<Bytes> seeds;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    if (!in.good() && !in.eof()) return usage("cannot read " + file);
  }
  watch_for_crashes();
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(std::max(0L, seconds));
  size_t runs = 0;
  for (size_t i = 0; i < seeds.size() && only < 0; ++i, ++runs) run(files[i], seeds[i], -1);
  for (long number = std::max(0L, only); only >= 0      ? number == only
                                         : seconds >= 0 ? Clock::now() < end
                                                        : number < mutations;
       ++number) {
    for (size_t i = 0; i < seeds.size(); ++i, ++runs) {
      run(files[i], mutation(seeds[i], static_cast<uint64_t>(number)), number);
    }
  }
  std::printf("fuzz: %zu files, %zu runs, none stopped\n", seeds.size(), runs);
  return 0;
}
