// report_object.cpp - a report as Comprehensive 3D SR: DCMTK builds the tree and refuses what the standard does not
// allow at a place of it.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmsr/dsrdoc.h>
#include <dcmtk/dcmsr/dsrnumvl.h>
#include <dcmtk/dcmsr/dsrsc3vl.h>

#include "apps/dicom/result_modules.h"

namespace spinert {
namespace {

OFString of_string(const std::string& text) {
  return OFString(text.c_str(), text.size());
}

DSRCodedEntryValue coded(const DicomCode& code) {
  return DSRCodedEntryValue(of_string(code.value), of_string(code.scheme), of_string(code.meaning));
}

DSRTypes::E_RelationshipType relation_of(SrRelation relation) {
  switch (relation) {
    case SrRelation::root: return DSRTypes::RT_isRoot;
    case SrRelation::contains: return DSRTypes::RT_contains;
    case SrRelation::observation_context: return DSRTypes::RT_hasObsContext;
    case SrRelation::concept_modifier: return DSRTypes::RT_hasConceptMod;
    case SrRelation::acquisition_context: return DSRTypes::RT_hasAcqContext;
  }
  return DSRTypes::RT_invalid;
}

DSRTypes::E_ValueType kind_of(SrKind kind) {
  switch (kind) {
    case SrKind::container: return DSRTypes::VT_Container;
    case SrKind::text: return DSRTypes::VT_Text;
    case SrKind::code: return DSRTypes::VT_Code;
    case SrKind::number: return DSRTypes::VT_Num;
    case SrKind::uid: return DSRTypes::VT_UIDRef;
    case SrKind::polygon: return DSRTypes::VT_SCoord3D;
    case SrKind::image: return DSRTypes::VT_Image;
  }
  return DSRTypes::VT_invalid;
}

OFCondition set_polygon(DSRContentItem& to, const SrItem& item) {
  DSRSpatialCoordinates3DValue value(DSRTypes::GT3_Polygon);
  if (item.points.size() % 3 != 0) return EC_IllegalParameter;
  for (size_t i = 0; i < item.points.size(); i += 3) {
    value.getGraphicDataList().addItem(item.points[i], item.points[i + 1], item.points[i + 2]);
  }
  const OFCondition set = value.setFrameOfReferenceUID(of_string(item.text));
  return set.bad() ? set : to.setSpatialCoordinates3D(value);
}

OFCondition set_value(DSRContentItem& to, const SrItem& item) {
  switch (item.kind) {
    case SrKind::container:
      return item.template_id.empty() ? EC_Normal : to.setTemplateIdentification(of_string(item.template_id), "DCMR");
    case SrKind::text:
    case SrKind::uid: return to.setStringValue(of_string(item.text));
    case SrKind::code: return to.setCodeValue(coded(item.code));
    case SrKind::number: return to.setNumericValue(DSRNumericMeasurementValue(of_string(item.text), coded(item.code)));
    case SrKind::polygon: return set_polygon(to, item);
    case SrKind::image:
      return to.setImageReference(
          DSRImageReferenceValue(of_string(item.image.sop_class), of_string(item.image.sop_instance)));
  }
  return EC_IllegalParameter;
}

// No value is repeated: a text may name the patient.
Status misfit(size_t index, const SrItem& item) {
  return error(ErrorId::E_INTERNAL, "DCMTK does not take item " + std::to_string(index + 1) + " of the report (" +
                                        item.name.value + ", " + item.name.scheme + ")");
}

Status build_tree(const std::vector<SrItem>& items, DSRDocumentTree& tree) {
  int depth = -1;
  for (size_t i = 0; i < items.size(); ++i) {
    const SrItem& item = items[i];
    if (item.depth > depth + 1 || (item.depth == 0) != (i == 0)) return misfit(i, item);
    const auto mode = item.depth > depth && i > 0 ? DSRTypes::AM_belowCurrent : DSRTypes::AM_afterCurrent;
    for (; depth > item.depth; --depth) tree.goUp();
    if (tree.addContentItem(relation_of(item.relation), kind_of(item.kind), mode) == 0) return misfit(i, item);
    depth = item.depth;
    DSRContentItem& added = tree.getCurrentContentItem();
    const bool named = !item.name.value.empty();
    if (named && added.setConceptName(coded(item.name)).bad()) return misfit(i, item);
    if (set_value(added, item).bad()) return misfit(i, item);
  }
  return {};
}

Status refused(const char* what, const OFCondition& why) {
  return error(ErrorId::E_INTERNAL, std::string("DCMTK does not take ") + what + ": " + why.text());
}

}  // namespace

Status put_report(const DicomObject& object, const std::string& study_uid, DcmDataset& to) {
  DSRDocument document(DSRTypes::DT_Comprehensive3DSR);
  if (const auto made = document.createNewSeriesInStudy(of_string(study_uid)); made.bad()) {
    return refused("the study", made);
  }
  SPINERT_TRY(build_tree(object.items, document.getTree()));
  for (const DicomInstance& source : object.sources) {
    const auto added = document.getCurrentRequestedProcedureEvidence().addItem(
        of_string(study_uid), of_string(object.source_series_uid), of_string(source.sop_class),
        of_string(source.sop_instance));
    if (added.bad()) return refused("a source image", added);
  }
  auto& schemes = document.getCodingSchemeIdentification();
  if (schemes.addItem("99SPINERT").bad() || schemes.setCodingSchemeName("SpineRT private codes").bad() ||
      schemes.setCodingSchemeResponsibleOrganization("SpineRT").bad()) {
    return error(ErrorId::E_INTERNAL, "DCMTK does not take the coding scheme");
  }
  // Never verified: that takes a person with a name.
  const auto flagged = object.complete ? document.completeDocument(of_string(object.completion))
                                       : document.setCompletionFlagDescription(of_string(object.completion));
  if (flagged.bad()) return refused("the completion flag", flagged);
  if (!object.complete) document.setPreliminaryFlag(DSRTypes::PF_Preliminary);
  if (const auto written = document.write(to, nullptr); written.bad()) return refused("the report", written);
  return {};
}

}  // namespace spinert
