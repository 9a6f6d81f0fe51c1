// The program as its users meet it: exit codes, the error line, BI-01, 02, 18, 21, 25, 33, 34, signals, locale. Drives
// the built binary on the reduced model, so that a run takes a fraction of a second.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "diagnosis/images/png_write.h"
#include "kernels/registry.h"
#include "tests/support/reduced_suite.h"
#include "tests/support/schema_check.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Arguments = std::vector<std::string>;

struct Outcome {
  int code = -1;  // exit code, or 1000 + signal
  std::string out, err;
};

std::string to_string(const std::vector<uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string grey_png(int width, int height, const std::vector<uint8_t>& grey) {
  return to_string(encode_png_grey(width, height, grey).value());
}

class Cli : public ReducedSuite {
 protected:
  // A slice in which the reduced model finds something.
  std::string slice(const std::string& name, uint64_t seed = 3) const {
    const Picture picture = reduced::picture(120, 100, seed);
    return make(name, grey_png(picture.width, picture.height, {picture.value.begin(), picture.value.end()}));
  }

  // Starts the program; file_limit > 0 caps the size of every file that it writes.
  pid_t start(const Arguments& arguments, const std::vector<std::string>& environment, rlim_t file_limit) const {
    std::vector<std::string> words{SPINERT_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string out = path("stdout"), err = path("stderr");
    fs::remove(out);
    fs::remove(err);  // what an earlier run said must not be taken for this one's
    const pid_t child = ::fork();
    if (child != 0) return child;
    const int out_file = ::open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    const int err_file = ::open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    ::dup2(out_file, STDOUT_FILENO);
    ::dup2(err_file, STDERR_FILENO);
    for (const std::string& pair : environment) ::putenv(const_cast<char*>(pair.c_str()));
    if (file_limit > 0) {
      const rlimit limit{file_limit, file_limit};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  Outcome wait(pid_t child) const {
    int state = 0;
    ::waitpid(child, &state, 0);
    return {WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state), read(path("stdout")), read(path("stderr"))};
  }
  Outcome run(const Arguments& arguments, const std::vector<std::string>& environment = {}, rlim_t limit = 0) const {
    return wait(start(arguments, environment, limit));
  }
  Outcome diagnose(Arguments arguments, const std::vector<std::string>& environment = {}, rlim_t limit = 0) const {
    arguments.insert(arguments.begin(), {"diagnose", "--model", model_, "--device", "cpu"});
    return run(arguments, environment, limit);
  }
  json report(const std::string& folder) const {
    const json document = json::parse(read(path(folder + "/report.json")), nullptr, false);
    std::ifstream schema(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/report/report.schema.json");
    for (const std::string& problem : schema::problems(json::parse(schema), document)) ADD_FAILURE() << problem;
    return document;
  }
  // Exit code, one error line of the pattern, and nothing else that claims to be one.
  static void expect_error(const Outcome& outcome, int code, const std::string& id) {
    EXPECT_EQ(outcome.code, code) << outcome.err;
    std::istringstream lines(outcome.err);
    int errors = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("spinert: error ")) continue;
      ++errors;
      EXPECT_TRUE(line.starts_with("spinert: error " + id + ": ")) << line;
      EXPECT_TRUE(line.ends_with(".")) << line;
    }
    EXPECT_EQ(errors, 1) << outcome.err;
  }
  void expect_failed_report(const std::string& folder, const std::string& id) const {
    const json document = report(folder);
    EXPECT_EQ(document["status"], "failed");
    EXPECT_FALSE(document.contains("slices"));
    EXPECT_EQ(document["reasons"][0]["code"], id);
  }
};

TEST_F(Cli, HelpVersionAndExitCodes) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_TRUE(help.err.empty());
  for (const char* command : {"diagnose", "convert", "inspect", "verify", "bench", "phantom"}) {
    EXPECT_NE(help.out.find(command), std::string::npos);
    const Outcome own = run({command, "--help"});
    EXPECT_EQ(own.code, 0);
    EXPECT_NE(own.out.find("Example"), std::string::npos) << command;
  }
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("spinert "));
  EXPECT_NE(version.out.find("Research use only"), std::string::npos);
  const Outcome codes = run({"--exit-codes"});
  EXPECT_EQ(codes.code, 0);
  std::map<std::string, int> table;
  const json document = json::parse(codes.out);
  for (const json& row : document["exit_codes"]) table[row["id"]] = row["exit_code"];
  EXPECT_EQ(table["E_USAGE"], 2);
  EXPECT_EQ(table["E_PARTIAL"], 11);
  EXPECT_EQ(table["E_NO_VERTEBRA"], 13);
  EXPECT_EQ(table["SIGTERM"], 143);
}

TEST_F(Cli, UsageErrorsAreCodeTwo) {
  const std::string a = slice("a.png");
  for (const Arguments& arguments :
       std::vector<Arguments>{{},
                              {"unheard-of"},
                              {"diagnose"},
                              {"diagnose", a},
                              {"diagnose", a, "-o"},
                              {"diagnose", a, "-o", path("out"), "--unheard-of"},
                              {"diagnose", a, "-o", path("out"), "--threads", "0"},
                              {"diagnose", a, "-o", path("out"), "--threads", "two"},
                              {"diagnose", a, "-o", path("out"), "--threads", "2x"},
                              {"diagnose", a, "-o", path("out"), "--threshold", "0,5"},
                              {"diagnose", a, "-o", path("out"), "--threshold", "nan"},
                              {"diagnose", a, "-o", path("out"), "--threshold", "1.5"},
                              {"diagnose", a, "-o", path("out"), "--memory-limit", "-1"},
                              {"diagnose", a, "-o", path("out"), "--memory-limit", "9999999999G"},
                              {"diagnose", a, "-o", path("out"), "--device", "gpu"},
                              {"diagnose", a, "-o", path("out"), "--device", "cuda:x"},
                              {"diagnose", a, "-o", path("out"), "--isa", "sse9"},
                              {"diagnose", a, "-o", path("out"), "--lanes", "0"},
                              {"diagnose", a, "-o", path("out"), "--lanes", "9"},
                              {"diagnose", a, "-o", path("out"), "--overwrite", "maybe"},
                              {"diagnose", a, "-o", path("out"), "--model-sha256", "12"},
                              {"bench", "--nodes"},
                              {"bench", "--op", "conv2d", "--on-demand"},
                              {"bench", "--stage", "detector", "--op", "conv2d"},
                              {"bench", "--op", "unheard_of"},
                              {"convert", "--detector", "x"}}) {
    expect_error(run(arguments), 2, "E_USAGE");
  }
  EXPECT_FALSE(fs::exists(path("out"))) << "a usage error writes nothing";
  const Outcome as_json = run({"diagnose", "--log", "json"});
  EXPECT_EQ(as_json.code, 2);
  const json line = json::parse(as_json.err);
  EXPECT_EQ(line["id"], "E_USAGE");
  EXPECT_EQ(line["exit_code"], 2);
}

TEST_F(Cli, DiagnoseWritesEverything) {
  const Outcome outcome = diagnose({slice("a.png"), "-o", path("out"), "--threads", "2"});
  const json document = report("out");
  // Random weights: whether the boxes form a spine is chance, but it ran and said what it found.
  EXPECT_EQ(outcome.code, document["exit_code"]);
  EXPECT_EQ(document["slices"].size(), 1u);
  EXPECT_EQ(names(path("out")), (std::set<std::string>{"preview-a.png", "report.html", "report.json"}));
  EXPECT_NE(outcome.out.find("a.png: "), std::string::npos);
  EXPECT_NE(outcome.out.find("Research use only. Not for diagnostic use."), std::string::npos);
  EXPECT_EQ(outcome.out.find("spinert:"), std::string::npos) << "messages belong to stderr";
  EXPECT_NE(outcome.err.find("[1/1] a.png"), std::string::npos);
  EXPECT_EQ(document["volatile"]["files"].size(), 2u);
  EXPECT_EQ(read(path("out/report.json")).find(folder_), std::string::npos) << "a report names no folder";
  EXPECT_EQ(read(path("out/report.html")).find(folder_), std::string::npos);
}

TEST_F(Cli, ThreadsBatchLocaleAndRepeatsChangeNothing) {
  const std::string a = slice("a.png"), b = slice("b.png", 9);
  std::set<std::string> hashes, pages;
  int n = 0;
  for (const Arguments& options : std::vector<Arguments>{{"--threads", "1"},
                                                         {"--threads", "3"},
                                                         {"--threads", "7", "--batch", "32"},
                                                         {"--threads", "2", "--lanes", "3"},
                                                         {"--threads", "1", "--batch", "1"}}) {
    for (const char* locale : {"LC_ALL=C", "LC_ALL=de_DE.UTF-8", "LC_ALL=tr_TR.UTF-8"}) {
      const std::string out = "out" + std::to_string(n++);
      Arguments arguments{a, b, "-o", path(out)};
      arguments.insert(arguments.end(), options.begin(), options.end());
      diagnose(arguments, {locale});
      hashes.insert(report(out)["volatile"]["deterministic_sha256"]);
      pages.insert(read(path(out + "/report.html")));
    }
  }
  EXPECT_EQ(hashes.size(), 1u);
  EXPECT_EQ(pages.size(), 1u);
  // Alone or together: the same entry.
  diagnose({b, "-o", path("alone")});
  EXPECT_EQ(report("alone")["slices"][0].dump(), report("out0")["slices"][1].dump());
}

// BI-01.
TEST_F(Cli, NothingToRead) {
  expect_error(diagnose({path("missing.png"), "-o", path("o1")}), 3, "E_INPUT_EMPTY");
  expect_failed_report("o1", "E_INPUT_EMPTY");
  fs::create_directory(path("empty"));
  expect_error(diagnose({path("empty"), "-o", path("o2")}), 3, "E_INPUT_EMPTY");
  expect_failed_report("o2", "E_INPUT_EMPTY");
  make("texts/a.txt", "text");
  const Outcome texts = diagnose({path("texts"), "-o", path("o3")});
  expect_error(texts, 3, "E_INPUT_EMPTY");
  EXPECT_NE(texts.err.find("1 plain text"), std::string::npos) << texts.err;
  expect_failed_report("o3", "E_INPUT_EMPTY");
}

// BI-02, BI-25.
TEST_F(Cli, DamagedPicturesAmongGoodOnes) {
  slice("d/1.png");
  make("d/2.png", "");
  const std::string good = read(path("d/1.png"));
  make("d/3.png", good.substr(0, good.size() / 2));
  make("d/4.dcm", good);
  expect_error(diagnose({path("d"), "-o", path("out")}), 11, "E_PARTIAL");
  const json document = report("out");
  EXPECT_EQ(document["status"], "partial");
  ASSERT_EQ(document["slices"].size(), 4u);
  EXPECT_EQ(document["slices"][1]["status"], "failed");
  EXPECT_EQ(document["slices"][1]["alert"], "review");
  EXPECT_EQ(document["slices"][2]["error"], "E_PNG");
  EXPECT_NE(document["slices"][3]["status"], "failed");
  EXPECT_EQ(document["slices"][3]["reasons"][0]["code"], "W_EXTENSION");
  EXPECT_EQ(names(path("out")).size(), 6u) << "a preview for every slice, failed ones too";

  expect_error(diagnose({path("d/3.png"), "-o", path("alone")}), 4, "E_PNG");
  expect_failed_report("alone", "E_PNG");
  expect_error(diagnose({make("page.png", "<!doctype html><p>404"), "-o", path("page")}), 4, "E_IMAGE_UNKNOWN");
}

TEST_F(Cli, EqualNamesAreTwoSlices) {
  diagnose({slice("x/a.png"), slice("y/a.png", 9), "-o", path("out")});
  const json document = report("out");
  EXPECT_EQ(document["slices"][0]["source"], "a.png");
  EXPECT_EQ(document["slices"][1]["source"], "a-2.png");
  EXPECT_EQ(names(path("out")),
            (std::set<std::string>{"preview-a.png", "preview-a-2.png", "report.html", "report.json"}));
}

// BI-18, BI-21.
TEST_F(Cli, ASliceWithoutASpineIsNeverNegative) {
  std::vector<uint8_t> black(128 * 128, 0), noise;
  uint32_t state = 1;
  for (int i = 0; i < 128 * 128; ++i)
    noise.push_back(static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24));
  int n = 0;
  for (const std::vector<uint8_t>& grey : {black, noise}) {
    // The score threshold of 1 is what a trained detector gives on such pictures: no box.
    const std::string out = "out" + std::to_string(n++);
    const Outcome outcome = diagnose({make("p.png", grey_png(128, 128, grey)), "-o", path(out), "--threshold", "1"});
    expect_error(outcome, 13, "E_NO_VERTEBRA");
    EXPECT_EQ(report(out)["slices"][0]["status"], "indeterminate");
    EXPECT_EQ(report(out)["slices"][0]["alert"], "review");
    EXPECT_NE(read(path(out + "/report.html")).find("not a negative result"), std::string::npos);
  }
}

// BI-33.
TEST_F(Cli, OutputFolderRules) {
  const std::string a = slice("a.png");
  EXPECT_NE(diagnose({a, "-o", path("p/q/out")}).code, 10);
  EXPECT_TRUE(fs::exists(path("p/q/out/report.json"))) << "absent parents are made";
  const std::string before = read(path("p/q/out/report.json"));
  expect_error(diagnose({a, "-o", path("p/q/out")}), 10, "E_OUTPUT");
  EXPECT_EQ(read(path("p/q/out/report.json")), before);
  EXPECT_NE(diagnose({a, "-o", path("p/q/out"), "--overwrite", "suffix"}).code, 10);
  EXPECT_TRUE(fs::exists(path("p/q/out-2/report.json")));
  EXPECT_NE(diagnose({a, "-o", path("p/q/out"), "--overwrite", "replace"}).code, 10);
  EXPECT_NE(diagnose({a, "-o", path("n\xff\xfe")}).code, 10) << "a name that is no UTF-8";
  slice("in/a.png");
  expect_error(diagnose({path("in"), "-o", path("in/out")}), 10, "E_OUTPUT");
  expect_error(diagnose({a, "-o", make("file", "x")}), 10, "E_OUTPUT");
  expect_error(diagnose({a, "-o", "/proc/out"}), 10, "E_OUTPUT");
  fs::create_symlink(path("loop"), path("loop"));
  expect_error(diagnose({a, "-o", path("loop")}), 10, "E_OUTPUT");
  expect_error(diagnose({a, "-o", "/" + std::string(4096, 'x')}), 2, "E_USAGE");
}

// FS-01.
TEST_F(Cli, FullDiskEndsInTenAndLeavesNothing) {
  const std::string a = slice("a.png");
  for (const rlim_t limit : {1000, 8000, 20000}) {
    const Outcome outcome = diagnose({a, "-o", path("out")}, {}, limit);
    if (outcome.code != 10) continue;  // everything fitted
    EXPECT_FALSE(fs::exists(path("out")));
  }
  expect_error(diagnose({a, "-o", path("out")}, {}, 1000), 10, "E_OUTPUT");
}

// BI-34.
TEST_F(Cli, DeviceModelAndSizeRefusals) {
  const std::string a = slice("a.png");
  expect_error(run({"diagnose", "--model", model_, a, "-o", path("o1"), "--device", "cuda:99"}), 8, "E_DEVICE");
  expect_failed_report("o1", "E_DEVICE");
  expect_error(diagnose({a, "-o", path("o2"), "--canvas", "loose"}), 2, "E_USAGE");
  // No calibration lies beside the model; without the instructions that comes first.
  const bool can = cpu_features().best >= Level::avx512_vnni;
  expect_error(diagnose({a, "-o", path("o2"), "--precision", "int8"}), can ? 6 : 8, can ? "E_CONFIG" : "E_DEVICE");
  expect_error(diagnose({a, "-o", path("o2b"), "--precision", "int8", "--isa", "avx2"}), 8, "E_DEVICE");
  expect_error(diagnose({a, "-o", path("o3"), "--memory-limit", "1K"}), 9, "E_OOM_HOST");
  expect_failed_report("o3", "E_OOM_HOST");
  expect_error(diagnose({a, "-o", path("o4"), "--model-sha256", std::string(64, '0')}), 7, "E_MODEL_HASH");
  expect_failed_report("o4", "E_MODEL_HASH");
  expect_error(run({"diagnose", "--model", make("m.safetensors", "x"), a, "-o", path("o5")}), 6, "E_MODEL_TRUNCATED");
  expect_error(diagnose({make("tiny.png", grey_png(3, 3, std::vector<uint8_t>(9, 1))), "-o", path("o6")}), 4,
               "E_IMAGE_SIZE");
}

// FS-04: partial results are kept and marked.
TEST_F(Cli, SignalsStopTheRun) {
  // Enough work for seconds: the reference backend on many slices.
  for (int i = 0; i < 40; ++i) slice("many/" + std::to_string(i) + ".png", static_cast<uint64_t>(i));
  for (const int number : {SIGINT, SIGTERM}) {
    const std::string out = "out" + std::to_string(number);
    const pid_t child =
        start({"diagnose", "--model", model_, "--device", "reference", path("many"), "-o", path(out)}, {}, 0);
    // Once the first slice is done the run is under way.
    for (int i = 0; i < 1000 && read(path("stderr")).find("[1/40]") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::kill(child, number);
    const Outcome outcome = wait(child);
    expect_error(outcome, 128 + number, "E_CANCELLED");
    const json document = report(out);
    EXPECT_EQ(document["status"], "failed");
    EXPECT_EQ(document["exit_code"], 128 + number);
    ASSERT_EQ(document["slices"].size(), 40u) << "what was done is kept, the rest is named";
    EXPECT_NE(document["slices"][0]["error"], "E_CANCELLED");
    EXPECT_EQ(document["slices"][39]["error"], "E_CANCELLED");
  }
}

TEST_F(Cli, InspectSaysWhatAFileIs) {
  const Outcome picture = run({"inspect", slice("a.png")});
  EXPECT_EQ(picture.code, 0);
  EXPECT_NE(picture.out.find("would be read: yes"), std::string::npos);
  const Outcome bad = run({"inspect", make("b.png", "text"), "--json"});
  EXPECT_EQ(bad.code, 4);
  EXPECT_EQ(json::parse(bad.out)["readable"], false);
  const Outcome model = run({"inspect", model_});
  EXPECT_EQ(model.code, 0) << model.err;
  for (const char* part : {"conv2d", "graph detector", "graph classifier", "memory (MiB)", "sha256"}) {
    EXPECT_NE(model.out.find(part), std::string::npos) << part;
  }
  const json document = json::parse(run({"inspect", model_, "--json", "--isa", "scalar"}).out);
  EXPECT_GT(document["graphs"]["detector"].size(), 10u);
  EXPECT_GT(document["memory"]["total"], 0);
  EXPECT_GT(document["tensors"].size(), 10u);
  bool refused = false;
  for (const json& node : document["graphs"]["detector"]) refused = refused || !node["refused"].empty();
  EXPECT_TRUE(refused) << "--isa scalar refuses every faster kernel by name";
  slice("d/a.png");
  EXPECT_EQ(run({"inspect", path("d")}).code, 0);
}

TEST_F(Cli, BenchWritesItsJson) {
  for (const char* stage : {"detector", "classifier", "slice"}) {
    const Outcome outcome = run({"bench", "--model", model_, "--stage", stage, "--patches", "1", "--repeats", "2",
                                 "--threads", "1", "--json", path("b.json"), "--slice", slice("a.png")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json row = json::parse(read(path("b.json")))["stages"][0];
    EXPECT_EQ(row["stage"], stage);
    EXPECT_EQ(row["threads"], 1);
    EXPECT_EQ(row["precision"], "fp32");
    EXPECT_EQ(row["canvas"], "fixed");
    for (const char* figure : {"median_ms", "min_ms", "first_ms", "open_ms", "peak_rss_mb"})
      EXPECT_GT(row[figure], 0) << figure;
    EXPECT_LE(row["min_ms"], row["median_ms"]);
    EXPECT_TRUE(row["kernels"].is_array());
    if (std::string(stage) == "classifier") {
      EXPECT_EQ(row["patches"], 1);
    }
  }
  const Outcome kernel =
      run({"bench", "--case", "conv2d h=5 w=7 c=3 o=5 k=3 padding=1", "--threads", "1", "--json", path("k.json")});
  ASSERT_EQ(kernel.code, 0) << kernel.err;
  const json rows = json::parse(read(path("k.json")));
  EXPECT_GT(rows["roof"]["copy_all"], 0);
  ASSERT_FALSE(rows["roof"]["arithmetic"].empty());
  EXPECT_EQ(rows["roof"]["arithmetic"][0]["name"], "fp32");
  for (const json& one : rows["roof"]["arithmetic"]) EXPECT_GT(one["all"], 0) << one;
  ASSERT_FALSE(rows["kernels"].empty());
  for (const json& row : rows["kernels"]) {
    if (row["refused"] == "") {
      EXPECT_GT(row["warm_us"], 0);
    }
  }
}

// Every node that runs is in the table, and nodes and what lies between them are the whole: in the file and on the
// screen.
TEST_F(Cli, NodesOfAStageSumToIt) {
  for (const char* stage : {"detector", "classifier"}) {
    const Outcome outcome =
        run({"bench", "--model", model_, "--stage", stage, "--patches", "3", "--batch", "2", "--nodes", "--repeats",
             "3", "--threads", "1", "--json", path("n.json"), "--slice", slice("a.png")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json row = json::parse(read(path("n.json")))["stages"][0];
    double sum = 0, shares = 0, kernels = 0;
    for (const json& node : row["nodes"]) {
      sum += node["ms"].get<double>();
      shares += node["share_percent"].get<double>();
      EXPECT_GT(node["ms"], 0) << node;
      EXPECT_FALSE(node["shape"].get<std::string>().empty()) << node;
      // Two of two vertebrae, then one: no node did more than its capacity, twice.
      EXPECT_LE(node["gflops"].get<double>() * node["ms"].get<double>() * 1e6, node["flops"].get<double>() * 1.001);
    }
    for (const json& kernel : row["kernels"]) kernels += kernel["ms"].get<double>();
    const double total = row["median_ms"], between = row["between_ms"];
    EXPECT_NEAR(sum + between, total, 1e-9 * total);
    EXPECT_NEAR(kernels, sum, 1e-9 * total);
    EXPECT_NEAR(shares + 100 * between / total, 100, 1e-6);

    const Outcome inspected = run({"inspect", model_, "--json", "--threads", "1"});
    ASSERT_EQ(inspected.code, 0) << inspected.err;
    size_t running = 0;
    const json graph = json::parse(inspected.out)["graphs"][stage];
    for (const json& node : graph) running += node["constant"] == false;
    EXPECT_EQ(row["nodes"].size(), running);

    double printed = 0, whole = 0;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      std::smatch found;
      // A row of nodes ends with ms, GFLOP/s, part of the roof and share; the last two rows lack the middle two.
      if (std::regex_search(line, found, std::regex(R"((-?[0-9.]+) +[0-9.]+ +[0-9.]+%[m ] +[0-9.]+%$)")) ||
          std::regex_search(line, found, std::regex(R"(between nodes +(-?[0-9.]+) )"))) {
        printed += std::stod(found[1]);
      } else if (std::regex_search(line, found, std::regex(R"(^  all +([0-9.]+) )"))) {
        whole = std::stod(found[1]);
      }
    }
    EXPECT_NEAR(whole, total, 1e-3);
    EXPECT_NEAR(printed, whole, 1e-3 * static_cast<double>(running + 2));  // each printed with three digits
  }
}

TEST_F(Cli, BenchReadsSeveralFilesOfShapes) {
  make("one.txt", "# a comment\nfirst x2 relu n=1 h=3 c=5\n");
  make("two.txt", "second x3 add n=1 h=3 c=5\nthird x1 relu n=1 h=2 c=4\n");
  const Arguments shapes{"bench", "--shapes", path("one.txt"), path("two.txt"), "--best", "--json", path("s.json")};
  ASSERT_EQ(run(shapes).code, 0);
  const json rows = json::parse(read(path("s.json")))["kernels"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["layer"], "first");
  EXPECT_EQ(rows[1]["count"], 3);
  EXPECT_EQ(rows[2]["op"], "relu");
  expect_error(run({"bench", "--shapes", path("none.txt")}), 3, "E_INPUT_EMPTY");
}

TEST_F(Cli, VerifyPassesAndConvertRefusesMissingFiles) {
  const Outcome outcome =
      run({"verify", model_, slice("a.png"), "--isa", "scalar", "--json", path("v.json"), "--threshold", "1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(read(path("v.json")))["passed"], true);
  expect_error(run({"convert", "--detector", path("none.pth"), "--classifier", path("none.pth"), "--config",
                    path("none.json"), "-o", path("m.safetensors")}),
               3, "E_INPUT_EMPTY");
  EXPECT_FALSE(fs::exists(path("m.safetensors")));
}

}  // namespace
}  // namespace spinert
