#include "common/plan/yaml_reader.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"
#include "common/plan/scalar_field.h"
#include "curlew/v1/options.pb.h"
#include "curlew/v1/plan.pb.h"
#include "yaml-cpp/depthguard.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace curlew::plan {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kLargestFile = 1 << 20;
constexpr size_t kDeepest = 64;
// Aliases make a small file stand for a large tree.
constexpr int kMostValues = 100'000;

Place At(const YAML::Mark& mark) { return {std::max(0, mark.line) + 1, std::max(0, mark.column) + 1}; }

absl::string_view KindOf(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return "nothing";
    case YAML::NodeType::Scalar:
      return "a single value";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a mapping";
  }
  return "something else";
}

// Whether all that a message holds is one oneof: an entry that is one of several things.
bool IsChoice(const Descriptor* type) {
  return type->real_oneof_decl_count() == 1 && type->oneof_decl(0)->field_count() == type->field_count();
}

class Reader {
 public:
  Reader(absl::string_view file, Places* places) : file_(file), places_(places) {}

  absl::Status Error(Place place, absl::string_view path, absl::string_view what) const {
    const absl::Status status = base::WithDetail(
        absl::InvalidArgumentError(absl::StrCat(file_, ":", place.line, ":", place.column, ": ", what)),
        kPlaceDetail, absl::StrCat(place.line, ":", place.column));
    return path.empty() ? status : base::WithDetail(status, base::kField, path);
  }

  // Refuses what would never end, or explode, when it is walked, and what yaml-cpp reads wrongly.
  absl::Status CheckTree(const YAML::Node& node) {
    if (++values_ > kMostValues) {
      return Error(At(node.Mark()), "", absl::StrCat("more than ", kMostValues, " values, aliases counted"));
    }
    // yaml-cpp gives two escapes a single byte of Latin-1.
    if (node.IsScalar() && base::FindInvalidUtf8(node.Scalar()) != absl::string_view::npos) {
      return Error(At(node.Mark()), "",
                   "the escapes \\N and \\_ are not read here; write \\u0085 and \\u00a0 for them");
    }
    if (!node.IsMap() && !node.IsSequence()) return absl::OkStatus();
    for (const YAML::Node& around : around_) {
      if (around.is(node)) return Error(At(node.Mark()), "", "an alias inside of what it stands for");
    }
    if (around_.size() >= kDeepest) {
      return Error(At(node.Mark()), "", absl::StrCat("nested deeper than ", kDeepest, " levels"));
    }
    around_.push_back(node);
    for (const auto& entry : node) {
      if (node.IsMap()) {
        RETURN_IF_ERROR(CheckTree(entry.first));
        RETURN_IF_ERROR(CheckTree(entry.second));
      } else {
        RETURN_IF_ERROR(CheckTree(entry));
      }
    }
    around_.pop_back();
    return absl::OkStatus();
  }

  absl::Status ReadMessage(const YAML::Node& node, const std::string& path, Message* message) {
    const Descriptor* type = message->GetDescriptor();
    if (type == google::protobuf::Duration::descriptor()) {
      return ReadText(node, path, ParseDuration, message);
    }
    if (type == google::protobuf::Timestamp::descriptor()) {
      return ReadText(node, path, ParseTimestamp, message);
    }
    const std::string where = path.empty() ? "the file" : path;
    if (!node.IsMap()) {
      return Error(At(node.Mark()), path,
                   absl::StrCat(where, " has to be a mapping (lines of KEY: VALUE), not ", KindOf(node)));
    }
    std::map<std::string, Place> seen;
    const FieldDescriptor* chosen = nullptr;
    for (const auto& entry : node) {
      const Place place = At(entry.first.Mark());
      if (!entry.first.IsScalar()) {
        return Error(place, path, absl::StrCat("a key has to be a name, not ", KindOf(entry.first)));
      }
      const std::string& name = entry.first.Scalar();
      const FieldDescriptor* field = type->FindFieldByName(name);
      if (field == nullptr) return Error(place, path, Unknown(type, name, where));
      if (auto [first, is_new] = seen.emplace(name, place); !is_new) {
        return Error(place, Child(path, name),
                     absl::StrCat("\"", name, "\" is given twice in ", where, ", first on line ",
                                  first->second.line, "; keep one"));
      }
      if (field->real_containing_oneof() != nullptr) {
        if (chosen != nullptr && chosen->containing_oneof() == field->containing_oneof()) {
          return Error(place, path,
                       absl::StrCat(where, " has both \"", chosen->name(), "\" and \"", name,
                                    "\"; only one can stand there, begin a list entry (\"- \") for each"));
        }
        chosen = field;
      }
      const std::string child = Child(path, name);
      if (places_ != nullptr) places_->Add(child, place);
      if (entry.second.IsNull()) {
        return Error(place, child,
                     absl::StrCat("\"", name, "\" has no value; ", WhatToGive(field), ", or leave it out"));
      }
      RETURN_IF_ERROR(ReadField(entry.second, child, field, message));
    }
    return absl::OkStatus();
  }

 private:
  static std::string Child(const std::string& path, const std::string& name) {
    return path.empty() ? name : absl::StrCat(path, ".", name);
  }

  static absl::string_view WhatToGive(const FieldDescriptor* field) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      return "give it one (the text null has to stand in quotes)";
    }
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated();
    return is_message && MayBeEmpty(field->message_type()) ? "give it one ({} for all defaults)"
                                                           : "give it one";
  }

  static bool MayBeEmpty(const Descriptor* type) {
    if (type->file() != v1::Plan::descriptor()->file() || type->real_oneof_decl_count() > 0) return false;
    for (int i = 0; i < type->field_count(); ++i) {
      if (type->field(i)->options().GetExtension(v1::required)) return false;
    }
    return true;
  }

  static std::string Unknown(const Descriptor* type, const std::string& name, absl::string_view where) {
    std::vector<std::string> known;
    for (int i = 0; i < type->field_count(); ++i) known.push_back(type->field(i)->name());
    const std::string noun = IsChoice(type) ? absl::AsciiStrToLower(type->name()) : "field";
    return absl::StrCat("unknown ", noun, " \"", name, "\" in ", where, "; ", Suggestion(name, known));
  }

  absl::Status ReadField(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
                         Message* message) {
    const Reflection* r = message->GetReflection();
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->is_map()) return ReadMap(node, path, field, message);
    if (!field->is_repeated()) {
      return is_message ? ReadMessage(node, path, r->MutableMessage(message, field))
                        : ReadScalar(node, path, field, message);
    }
    if (!node.IsSequence()) {
      return Error(At(node.Mark()), path,
                   absl::StrCat("\"", field->name(), "\" has to be a list (lines of \"- \", or [a, b]), not ",
                                KindOf(node)));
    }
    int index = 0;
    for (const YAML::Node& item : node) {
      const std::string child = absl::StrCat(path, "[", index++, "]");
      if (places_ != nullptr) places_->Add(child, At(item.Mark()));
      if (item.IsNull())
        return Error(At(item.Mark()), child, absl::StrCat("an entry of \"", field->name(), "\" is empty"));
      RETURN_IF_ERROR(is_message ? ReadMessage(item, child, r->AddMessage(message, field))
                                 : ReadScalar(item, child, field, message));
    }
    return absl::OkStatus();
  }

  // Of texts to single values.
  absl::Status ReadMap(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
                       Message* message) {
    if (!node.IsMap()) {
      return Error(At(node.Mark()), path,
                   absl::StrCat("\"", field->name(), "\" has to be a mapping (lines of KEY: VALUE), not ",
                                KindOf(node)));
    }
    std::map<std::string, Place> seen;
    for (const auto& pair : node) {
      const YAML::Node &key = pair.first, &value = pair.second;
      const Place place = At(key.Mark());
      RETURN_IF_ERROR(CheckScalar(key, path));
      const std::string child = Child(path, key.Scalar());
      if (places_ != nullptr) places_->Add(child, place);
      if (auto [first, is_new] = seen.emplace(key.Scalar(), place); !is_new) {
        return Error(place, child,
                     absl::StrCat("\"", key.Scalar(), "\" is given twice in ", path, ", first on line ",
                                  first->second.line, "; keep one"));
      }
      if (value.IsNull()) {
        return Error(place, child,
                     absl::StrCat("\"", key.Scalar(), "\" has no value; give it one, or leave it out"));
      }
      Message* entry = message->GetReflection()->AddMessage(message, field);
      RETURN_IF_ERROR(ReadScalar(key, child, field->message_type()->map_key(), entry));
      RETURN_IF_ERROR(ReadScalar(value, child, field->message_type()->map_value(), entry));
    }
    return absl::OkStatus();
  }

  absl::Status CheckScalar(const YAML::Node& node, const std::string& path) const {
    if (!node.IsScalar()) {
      return Error(At(node.Mark()), path,
                   absl::StrCat(path, " has to be a single value, not ", KindOf(node)));
    }
    if (node.Tag() != "?" && node.Tag() != "!" && node.Tag() != "tag:yaml.org,2002:str") {
      return Error(
          At(node.Mark()), path,
          absl::StrCat(path, " has the tag ", node.Tag(), "; the type is known without one, leave it out"));
    }
    return absl::OkStatus();
  }

  template <typename Parse>
  absl::Status ReadText(const YAML::Node& node, const std::string& path, Parse parse,
                        Message* message) const {
    RETURN_IF_ERROR(CheckScalar(node, path));
    auto value = parse(node.Scalar());
    if (!value.ok()) return WrongValue(node, path, value.status().message());
    message->CopyFrom(*value);
    return absl::OkStatus();
  }

  absl::Status WrongValue(const YAML::Node& node, const std::string& path, absl::string_view what) const {
    return Error(At(node.Mark()), path, absl::StrCat(path, ": ", what));
  }

  absl::Status ReadScalar(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
                          Message* message) const {
    RETURN_IF_ERROR(CheckScalar(node, path));
    const Quotes quotes = node.Tag() == "?" ? Quotes::kNone : Quotes::kSome;
    const absl::Status status = SetScalar(node.Scalar(), quotes, field, message);
    return status.ok() ? status : WrongValue(node, path, status.message());
  }

  absl::string_view file_;
  Places* places_;
  int values_ = 0;
  std::vector<YAML::Node> around_;
};

// Takes note of where documents begin.
class DocumentStarts : public YAML::EventHandler {
 public:
  const std::vector<Place>& places() const { return places_; }

  void OnDocumentStart(const YAML::Mark& mark) override { places_.push_back(At(mark)); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

 private:
  std::vector<Place> places_;
};

// Where the second document of `text` begins. Goes no further: after some malformed lines (a comma that ends
// a block) yaml-cpp finds empty documents for ever, so that YAML::LoadAll does not return.
std::optional<Place> SecondDocument(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  while (starts.places().size() < 2 && parser.HandleNextDocument(starts)) {
  }
  if (starts.places().size() < 2) return std::nullopt;
  return starts.places()[1];
}

Place PlaceOf(absl::string_view text, size_t offset) {
  const absl::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

// The first character that YAML cannot hold (its rule c-printable), or npos. yaml-cpp takes some for the end,
// and reads on behind its buffer.
size_t FindControl(absl::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(), [](char c) {
    return (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == '\x7F';
  });
  return found == text.end() ? absl::string_view::npos : static_cast<size_t>(found - text.begin());
}

}  // namespace

Place Places::Find(absl::string_view path) const {
  while (!path.empty()) {
    if (auto found = places_.find(path); found != places_.end()) return found->second;
    const size_t cut = path.find_last_of(".[");
    path = cut == absl::string_view::npos ? absl::string_view() : path.substr(0, cut);
  }
  return Place();
}

absl::Status AtPlace(const absl::Status& status, absl::string_view file, const Places& places) {
  const Place place = places.Find(base::Detail(status, base::kField));
  const std::string where = absl::StrCat(place.line, ":", place.column);
  return base::WithDetail(base::Annotate(status, absl::StrCat(file, ":", where)), kPlaceDetail, where);
}

Place PlaceOf(const absl::Status& status) {
  Place place;
  const std::pair<std::string, std::string> parts = absl::StrSplit(base::Detail(status, kPlaceDetail), ':');
  if (!absl::SimpleAtoi(parts.first, &place.line) || !absl::SimpleAtoi(parts.second, &place.column))
    return {};
  return place;
}

absl::Status ReadYamlWithPlaces(absl::string_view text, absl::string_view file, Message* message,
                                Places* places) {
  Reader reader(file, places);
  message->Clear();
  if (text.size() > kLargestFile) {
    return reader.Error({}, "", absl::StrCat("the file has ", text.size(), " bytes; at most 1 MiB is read"));
  }
  if (const size_t bad = base::FindInvalidUtf8(text); bad != absl::string_view::npos) {
    return reader.Error(PlaceOf(text, bad), "", "not UTF-8; save the file as UTF-8");
  }
  if (const size_t bad = FindControl(text); bad != absl::string_view::npos) {
    return reader.Error(PlaceOf(text, bad), "",
                        absl::StrFormat("the control character U+%04X cannot stand in YAML; take it out, or "
                                        "write it as \\x%02x in double quotes",
                                        static_cast<unsigned>(text[bad]), static_cast<unsigned>(text[bad])));
  }
  // The end is marked because yaml-cpp takes a quote that is still open at the end of the file for closed.
  const std::string marked = absl::StrCat(text, text.empty() || text.back() == '\n' ? "" : "\n", "...\n");
  const Place end = PlaceOf(marked, marked.size() - 4);
  try {
    if (const std::optional<Place> second = SecondDocument(marked); second.has_value()) {
      return reader.Error(
          *second, "",
          "a second document begins here (\"---\", or a line that is indented wrongly); a file holds one");
    }
    const YAML::Node document = YAML::Load(marked);
    if (document.IsNull()) return reader.Error({}, "", "the file is empty");
    RETURN_IF_ERROR(reader.CheckTree(document));
    return reader.ReadMessage(document, "", message);
  } catch (const YAML::DeepRecursion& e) {
    return reader.Error(At(e.mark), "", absl::StrCat("nested deeper than ", kDeepest, " levels"));
  } catch (const YAML::Exception& e) {
    const Place place = At(e.mark);
    return reader.Error(
        place, "",
        absl::StrCat("malformed YAML: ", base::Utf8Prefix(e.msg, base::FindInvalidUtf8(e.msg)),
                     place.line >= end.line ? "; look for a quote, bracket or brace left open" : ""));
  }
}

absl::Status ReadYaml(absl::string_view text, absl::string_view file, Message* message) {
  return ReadYamlWithPlaces(text, file, message, nullptr);
}

}  // namespace curlew::plan
