#include "apps/bench_output.h"

#include <algorithm>
#include <cstdio>

namespace spinert::cli {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

// What a node reached: its share of the stage and its distance from the least possible time.
struct NodeFigures {
  double gflops = 0, roof_percent = 0, share_percent = 0;
  bool memory = false;
};

NodeFigures figures(const bench::NodeRow& node, const bench::StageRow& row, const bench::Roof& roof) {
  NodeFigures f;
  const bench::Bound bound = bench::least_time({.flops = node.flops, .bytes = node.bytes}, node.level, roof);
  f.memory = bound.memory;
  if (node.ms > 0) {
    f.gflops = node.flops / node.ms * 1e-6;
    f.roof_percent = 100 * bound.seconds * 1e3 / node.ms;
  }
  if (row.median_ms > 0) f.share_percent = 100 * node.ms / row.median_ms;
  return f;
}

const char* unit(const bench::ArithmeticRoof& roof) {
  return roof.name.starts_with("int8") ? "GOP/s" : "GFLOP/s";
}

int width_of(const std::vector<bench::NodeRow>& nodes, std::string bench::NodeRow::*member, size_t least) {
  for (const bench::NodeRow& node : nodes) least = std::max(least, (node.*member).size());
  return static_cast<int>(least);
}

}  // namespace

void print_roof(const bench::Roof& roof) {
  char all[32];
  std::snprintf(all, sizeof all, "%d thread%s", roof.threads, roof.threads == 1 ? "" : "s");
  std::printf("%-28s %12s %12s\n", "roof of this machine", "1 thread", all);
  std::printf("%-28s %12.1f %12.1f  GB/s read and written\n", "copy", roof.copy_one, roof.copy_all);
  for (const bench::ArithmeticRoof& one : roof.arithmetic) {
    const std::string name = one.name + " (" + std::string(level_name(one.level)) + ")";
    std::printf("%-28s %12.1f %12.1f  %s\n", name.c_str(), one.one, one.all, unit(one));
  }
  std::fflush(stdout);
}

void print_stage(const bench::StageRow& row) {
  std::string name = row.stage;
  if (row.patches > 0) name += ", " + std::to_string(row.patches) + " patches";
  std::printf("%s: median %.2f ms, min %.2f, first %.2f, open %.1f; peak %.1f MB; %s, %s, %d thread%s\n", name.c_str(),
              row.median_ms, row.min_ms, row.first_ms, row.open_ms, row.peak_rss_mb, row.isa.c_str(),
              row.precision.c_str(), row.threads, row.threads == 1 ? "" : "s");
  if (row.canvas != "fixed") std::printf("  %s canvas, %s\n", row.canvas.c_str(), row.seen.c_str());
  if (!row.kernels.empty()) std::printf("  %-38s %6s %10s %9s %7s\n", "kernel", "nodes", "ms", "GFLOP/s", "share");
  for (const bench::KernelShare& share : row.kernels) {
    std::printf("  %-38s %6d %10.3f %9.1f %6.1f%%\n", share.kernel.c_str(), share.nodes, share.ms, share.gflops,
                100 * share.ms / row.median_ms);
  }
  std::fflush(stdout);
}

void print_nodes(const bench::StageRow& row, const bench::Roof& roof) {
  using bench::NodeRow;
  const int name = width_of(row.nodes, &NodeRow::name, 4), kernel = width_of(row.nodes, &NodeRow::kernel, 6);
  const int op = width_of(row.nodes, &NodeRow::op, 8), shape = width_of(row.nodes, &NodeRow::shape, 5);
  std::printf("  %-*s  %-*s  %-*s  %-*s %10s %9s %8s %7s\n", name, "node", op, "operator", kernel, "kernel", shape,
              "output", "ms", "GFLOP/s", "of roof", "share");
  for (const NodeRow& node : row.nodes) {
    const NodeFigures f = figures(node, row, roof);
    std::printf("  %-*s  %-*s  %-*s  %-*s %10.3f %9.1f %6.1f%%%c %6.1f%%\n", name, node.name.c_str(), op,
                node.op.c_str(), kernel, node.kernel.c_str(), shape, node.shape.c_str(), node.ms, f.gflops,
                f.roof_percent, f.memory ? 'm' : ' ', f.share_percent);
  }
  const int text = name + op + kernel + shape + 6;
  std::printf("  %-*s %10.3f %9s %8s %6.1f%%\n", text, "between nodes", row.between_ms, "", "",
              100 * row.between_ms / row.median_ms);
  std::printf("  %-*s %10.3f %9s %8s %6.1f%%\n", text, "all", row.median_ms, "", "", 100.0);
  std::printf("  m: of the copy roof; a node whose data lies in a cache can be above 100 %%\n");
  std::fflush(stdout);
}

void print_op_head() {
  std::printf("%-38s %11s %11s %9s %8s %8s %8s  %s\n", "kernel", "warm, us", "cold, us", "GFLOP/s", "GB/s", "of roof",
              "x ref", "case");
}

void print_op(const bench::OpRow& row, const std::string& layer) {
  const std::string line = layer.empty() ? row.case_line : layer + ": " + row.case_line;
  if (!row.refused.empty()) {
    std::printf("%-38s refused: %s  %s\n", row.kernel.c_str(), row.refused.c_str(), line.c_str());
    return;
  }
  char reference[32] = "-";
  if (row.times_reference > 0) std::snprintf(reference, sizeof reference, "%.1f", row.times_reference);
  std::printf("%-38s %11.1f %11.1f %9.1f %8.1f %6.1f%%%c %8s  %s\n", row.kernel.c_str(), row.warm_us, row.cold_us,
              row.gflops, row.gbytes, row.roof_percent, row.memory_bound ? 'm' : ' ', reference, line.c_str());
  std::fflush(stdout);
}

void write_roof(JsonText& json, const bench::Roof& roof) {
  json.key("roof").begin_object().key("threads").integer(roof.threads);
  json.key("copy_one").number(roof.copy_one).key("copy_all").number(roof.copy_all);
  json.key("arithmetic").begin_array();
  for (const bench::ArithmeticRoof& one : roof.arithmetic) {
    json.begin_object(kInline).key("name").text(one.name).key("isa").text(level_name(one.level));
    json.key("one").number(one.one).key("all").number(one.all).end();
  }
  json.end().end();
}

void write_stage(JsonText& json, const bench::StageRow& row, const bench::Roof* roof) {
  json.begin_object().key("stage").text(row.stage).key("patches").integer(row.patches);
  json.key("median_ms").number(row.median_ms).key("min_ms").number(row.min_ms).key("first_ms").number(row.first_ms);
  json.key("open_ms").number(row.open_ms).key("peak_rss_mb").number(row.peak_rss_mb);
  json.key("threads").integer(row.threads).key("isa").text(row.isa).key("precision").text(row.precision);
  json.key("canvas").text(row.canvas).key("seen").text(row.seen);
  json.key("kernels").begin_array();
  for (const bench::KernelShare& share : row.kernels) {
    json.begin_object(kInline).key("kernel").text(share.kernel).key("nodes").integer(share.nodes);
    json.key("ms").number(share.ms).key("gflops").number(share.gflops).end();
  }
  json.end();
  if (roof && !row.nodes.empty()) {
    json.key("between_ms").number(row.between_ms).key("nodes").begin_array();
    for (const bench::NodeRow& node : row.nodes) {
      const NodeFigures f = figures(node, row, *roof);
      json.begin_object(kInline).key("node").text(node.name).key("op").text(node.op).key("kernel").text(node.kernel);
      json.key("shape").text(node.shape).key("ms").number(node.ms).key("gflops").number(f.gflops);
      json.key("roof_percent").number(f.roof_percent).key("bound").text(f.memory ? "copy" : "arithmetic");
      json.key("share_percent").number(f.share_percent).key("flops").number(node.flops);
      json.key("bytes").number(node.bytes).end();
    }
    json.end();
  }
  json.end();
}

void write_op(JsonText& json, const bench::OpRow& row, const std::string& layer, int64_t count) {
  json.begin_object(kInline).key("op").text(row.op).key("case").text(row.case_line).key("kernel").text(row.kernel);
  if (!layer.empty()) json.key("layer").text(layer).key("count").integer(count);
  json.key("isa").text(row.level).key("refused").text(row.refused).key("max_difference").number(row.max_difference);
  json.key("warm_us").number(row.warm_us).key("warm_min_us").number(row.warm_min_us);
  json.key("cold_us").number(row.cold_us).key("gflops").number(row.gflops);
  json.key("gbytes_per_s").number(row.gbytes).key("roof_percent").number(row.roof_percent);
  json.key("bound").text(row.memory_bound ? "copy" : "arithmetic");
  json.key("times_reference").number(row.times_reference).key("flops").number(row.flops);
  json.key("bytes").number(row.bytes).key("copies").integer(row.copies).end();
}

}  // namespace spinert::cli
