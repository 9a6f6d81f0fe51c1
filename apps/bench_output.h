// bench_output.h - what `spinert bench` prints and writes: roofs, stages, nodes, kernels.
#pragma once

#include "bench/op_bench.h"
#include "bench/stage_bench.h"
#include "diagnosis/report/json_text.h"

namespace spinert::cli {

void print_roof(const bench::Roof& roof);
void print_stage(const bench::StageRow& row);
// The nodes of a stage, and what of its time lies between them.
void print_nodes(const bench::StageRow& row, const bench::Roof& roof);
void print_op_head();
void print_op(const bench::OpRow& row, const std::string& layer);

void write_roof(JsonText& json, const bench::Roof& roof);
// With nodes where there is a roof to hold them against.
void write_stage(JsonText& json, const bench::StageRow& row, const bench::Roof* roof);
void write_op(JsonText& json, const bench::OpRow& row, const std::string& layer, int64_t count);

}  // namespace spinert::cli
