// decoder_messages.cpp - an appender of DCMTK's logger that keeps one text.
#include "apps/dicom/decoder_messages.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/oflog/appender.h>
#include <dcmtk/oflog/logger.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

namespace spinert {
namespace {

std::string& kept() {
  static std::string message;
  return message;
}

class FirstMessage final : public dcmtk::log4cplus::Appender {
 public:
  ~FirstMessage() override { destructorImpl(); }
  void close() override {}

 protected:
  void append(const dcmtk::log4cplus::spi::InternalLoggingEvent& event) override {
    if (kept().empty()) kept() = std::string(event.getMessage().c_str());
  }
};

}  // namespace

void collect_decoder_messages() {
  OFLog::configure(OFLogger::WARN_LOG_LEVEL);
  auto root = dcmtk::log4cplus::Logger::getRoot();
  root.removeAllAppenders();
  root.addAppender(dcmtk::log4cplus::SharedAppenderPtr(new FirstMessage));
}

void clear_decoder_messages() {
  kept().clear();
}

const std::string& first_decoder_message() {
  return kept();
}

}  // namespace spinert
