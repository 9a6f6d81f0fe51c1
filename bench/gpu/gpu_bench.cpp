// gpu_bench.cpp - every layer of both networks on the card: checked, timed cold and hot, beside cuDNN and cuBLASLt.
// A program of its own, so that `spinert` links neither library. bench/gpu_session.sh runs it.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/gpu/layer_bench.h"
#include "bench/gpu/vendor.h"

namespace spinert::bench {
namespace {

struct Arguments {
  std::vector<std::string> shapes, cases;
  std::string kernel, json, markdown, type = "f16";
  int card = 0;
  LayerOptions layer;
  bool no_vendor = false;
};

struct Layer {
  std::string name, case_line;
  int64_t count = 1;
};

// Operators whose cases take a half type; the others are fp32 in every precision.
bool takes_half(const std::string& line) {
  for (const char* op : {"conv2d ", "conv2d_stem ", "linear ", "max_pool2d ", "global_average_pool ", "roi_align ",
                         "rpn_head ", "fpn_merge ", "add ", "relu ", "upsample_nearest2d "}) {
    if (line.starts_with(op)) return true;
  }
  return false;
}

Result<std::vector<Layer>> read_layers(const Arguments& arguments) {
  std::vector<Layer> layers;
  for (const std::string& line : arguments.cases) layers.push_back({"case", line, 1});
  for (const std::string& path : arguments.shapes) {
    std::ifstream file(path);
    if (!file) return error(ErrorId::E_INPUT_EMPTY, "the file of layers cannot be opened", path);
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name, count, rest;
      if (line.starts_with('#') || !(words >> name >> count) || !std::getline(words >> std::ws, rest)) continue;
      layers.push_back({name, rest, count.size() > 1 ? std::strtoll(count.c_str() + 1, nullptr, 10) : 1});
    }
  }
  if (layers.empty()) return error(ErrorId::E_USAGE, "no layer to time").hint("Give --shapes or --case.");
  for (Layer& layer : layers) {
    if (arguments.type != "f32" && takes_half(layer.case_line)) layer.case_line += " dtype=" + arguments.type;
  }
  return layers;
}

nlohmann::ordered_json to_json(const LayerRow& row) {
  return {{"name", row.name},
          {"count", row.count},
          {"case", row.case_line},
          {"kernel", row.kernel},
          {"refused", row.refused},
          {"max_difference", row.max_difference},
          {"flops", row.flops},
          {"bytes", row.bytes},
          {"hot_us", row.hot_us},
          {"cold_us", row.cold_us},
          {"tflops", row.tflops},
          {"gbytes_per_s", row.gbytes},
          {"roof_percent", row.roof_percent},
          {"vendor_plan", row.vendor_plan},
          {"vendor_hot_us", row.vendor_hot_us},
          {"vendor_cold_us", row.vendor_cold_us},
          {"ratio_hot", row.ratio_hot},
          {"ratio_cold", row.ratio_cold}};
}

std::string markdown_row(const LayerRow& row) {
  char text[512];
  if (!row.refused.empty()) return "| " + row.name + " | refused: " + row.refused + " | | | | | | | |\n";
  std::snprintf(
      text, sizeof text, "| %s | `%s` | %.1f | %.1f | %.0f | %.0f | %.0f | %s | %s |\n", row.name.c_str(),
      row.kernel.c_str(), row.hot_us, row.cold_us, row.tflops, row.gbytes, row.roof_percent,
      row.vendor_plan.empty() ? "-" : row.vendor_plan.c_str(),
      row.vendor_plan.empty()
          ? "-"
          : (std::to_string(row.ratio_cold).substr(0, 4) + " / " + std::to_string(row.ratio_hot).substr(0, 4)).c_str());
  return text;
}

Status write(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path);
  file << text;
  file.close();
  return file ? Status() : error(ErrorId::E_OUTPUT, "the file could not be written", path);
}

Status run(const Arguments& arguments) {
  SPINERT_ASSIGN(const std::vector<Layer> layers, read_layers(arguments));
  SPINERT_ASSIGN(const auto device, CudaDevice::open(arguments.card));
  const CudaCard& card = device->card();
  SPINERT_ASSIGN(const GpuRoof roof, measure_gpu_roof(*device));
  ThreadPool pool(usable_threads());
  char head[256];
  std::snprintf(head, sizeof head, "%s, %d multiprocessors, %s, %s; roof %.0f TFLOP/s f16, %.0f GB/s; %s\n",
                card.name.c_str(), card.multiprocessors, vendor_conv_version().c_str(), vendor_matmul_version().c_str(),
                roof.tflops_f16, roof.gbytes, arguments.type.c_str());
  std::fputs(head, stdout);
  std::string markdown = std::string(head) +
                         "\n| layer | kernel | hot, us | cold, us | TFLOP/s | GB/s | % of roof | best plan of the "
                         "library | its time over ours, cold / hot |\n|---|---|---|---|---|---|---|---|---|\n";
  nlohmann::ordered_json json = {{"card", card.name},
                                 {"multiprocessors", card.multiprocessors},
                                 {"type", arguments.type},
                                 {"cudnn", vendor_conv_version()},
                                 {"cublaslt", vendor_matmul_version()},
                                 {"roof_tflops_f16", roof.tflops_f16},
                                 {"roof_gbytes_per_s", roof.gbytes},
                                 {"layers", nlohmann::ordered_json::array()}};
  double log_sum = 0;
  int64_t compared = 0, refused = 0;
  for (const Layer& layer : layers) {
    auto measured =
        bench_layer(*device, pool, roof, layer.name, layer.count, layer.case_line, arguments.kernel, arguments.layer);
    SPINERT_TRY(device->stream().status());  // a broken card: no further figure
    LayerRow row;
    if (measured.ok()) {
      row = measured.value();
    } else {
      row.name = layer.name;
      row.case_line = layer.case_line;
      row.refused = measured.status().to_string();
    }
    refused += row.refused.empty() ? 0 : 1;
    if (row.ratio_cold > 0) {
      log_sum += static_cast<double>(row.count) * std::log(row.ratio_cold);
      compared += row.count;
    }
    std::fputs(markdown_row(row).c_str(), stdout);
    std::fflush(stdout);
    markdown += markdown_row(row);
    json["layers"].push_back(to_json(row));
    // What is there so far: a session whose time runs out keeps it.
    SPINERT_TRY(write(arguments.json, json.dump(1) + "\n"));
    SPINERT_TRY(write(arguments.markdown, markdown));
  }
  if (compared > 0) {
    const double mean = std::exp(log_sum / static_cast<double>(compared));
    std::snprintf(head, sizeof head, "\nGeometric mean of the library's time over ours, cold, %lld layers: %.3f\n",
                  static_cast<long long>(compared), mean);
    std::fputs(head, stdout);
    markdown += head;
    json["geometric_mean_cold"] = mean;
  }
  json["refused"] = refused;
  SPINERT_TRY(write(arguments.json, json.dump(1) + "\n"));
  SPINERT_TRY(write(arguments.markdown, markdown));
  if (refused == 0) return {};
  return error(ErrorId::E_VERIFY, std::to_string(refused) + " layers were refused or wrong", "gpu_bench");
}

}  // namespace
}  // namespace spinert::bench

int main(int argc, char** argv) {
  spinert::bench::Arguments arguments;
  CLI::App app{"Times every layer of both networks on a card, beside cuDNN and cuBLASLt."};
  app.add_option("--shapes", arguments.shapes, "files of layers, as in bench/shapes")->type_name("FILE");
  app.add_option("--case", arguments.cases, "one case line; may be given more than once")->type_name("LINE");
  app.add_option("--kernel", arguments.kernel, "only this row of kernels/registry.def")->type_name("NAME");
  app.add_option("--type", arguments.type, "activations: f16, bf16 or f32")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}));
  app.add_option("--card", arguments.card, "number of the card (0)");
  app.add_option("--replays", arguments.layer.replays, "timed replays of each measurement (50)")
      ->check(CLI::Range(3, 1000));
  app.add_option("--rounds", arguments.layer.rounds, "ours and the library's in turns (3)")->check(CLI::Range(1, 20));
  app.add_flag("--no-vendor", arguments.no_vendor, "leave cuDNN and cuBLASLt out");
  app.add_option("--json", arguments.json, "write all figures to this file")->type_name("FILE");
  app.add_option("--markdown", arguments.markdown, "write the table to this file")->type_name("FILE");
  app.footer(
      "Examples:\n  gpu_bench --shapes bench/shapes/detector.txt bench/shapes/classifier.txt --json layers.json\n"
      "  gpu_bench --case \"conv2d h=256 c=256 o=256 k=3 padding=1 data=real\" --no-vendor");
  CLI11_PARSE(app, argc, argv);
  arguments.layer.vendor = !arguments.no_vendor;
  const spinert::Status status = spinert::bench::run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "gpu_bench: error %s\n", status.to_string().c_str());
  return spinert::exit_code(status.id());
}
