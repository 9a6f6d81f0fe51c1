#include "diagnosis/report/verify_json.h"

#include "diagnosis/report/json_text.h"

namespace spinert {

std::string verify_json(const VerifyReport& report) {
  JsonText json;
  json.begin_object().key("passed").boolean(report.ok()).key("levels").begin_array();
  for (const LevelReport& level : report.levels) {
    const GlobalCheck& global = level.global;
    json.begin_object().key("isa").text(level.level).key("passed").boolean(level.breach.ok());
    json.key("breach").text(level.breach.message());
    json.key("global").begin_object(JsonText::Layout::inline_).key("vertebrae").integer(global.vertebrae);
    json.key("min_iou").number(global.min_iou).key("max_score").number(global.max_score);
    json.key("max_probability").number(global.max_probability).key("flips").integer(global.flips);
    json.key("excused").integer(global.excused).end();
    json.key("nodes").begin_array();
    for (const NodeCheck& check : level.nodes) {
      json.begin_object(JsonText::Layout::inline_).key("graph").text(check.graph).key("node").text(check.node);
      json.key("op").text(check.op).key("kernel").text(check.kernel).key("output").text(check.output);
      json.key("compared").integer(check.compared).key("wrong").integer(check.wrong);
      json.key("max_difference").number(check.max_difference).key("tolerance").number(check.absolute);
      json.key("relative").number(check.relative).end();
    }
    json.end().end();
  }
  json.end().end();
  return json.str() + "\n";
}

}  // namespace spinert
