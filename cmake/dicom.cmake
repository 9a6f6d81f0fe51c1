# spinert-dicom: the program that decodes DICOM files and writes those of results, and the only target that links DCMTK and OpenJPEG. Shared
# libraries: a security update of the distribution reaches them without a new build.
option(SPINERT_DICOM "Build spinert-dicom if DCMTK and OpenJPEG are there" ON)

# What it does around the decoders; the tests link it, with decoders of their own that misbehave.
add_library(spinert_dicom_server STATIC apps/dicom/server.cpp apps/dicom/sandbox.cpp apps/dicom/transfer_syntax.cpp
            apps/dicom/jpeg_header.cpp apps/dicom/stored_values.cpp)
# With a fuzzer the readers alone (tests/CMakeLists.txt): its compiler does not build all kernels.
target_link_libraries(spinert_dicom_server PUBLIC $<IF:$<BOOL:${SPINERT_FUZZER}>,spinert_readers,spinert_diagnosis>)

if(SPINERT_DICOM)
  find_path(SPINERT_DCMTK_DIR dcmtk/dcmdata/dctk.h)
  find_path(SPINERT_OPENJPEG_DIR openjpeg.h PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4)
  find_library(SPINERT_OPENJPEG_LIBRARY openjp2)
  set(dcmtk_libraries)
  foreach(name IN ITEMS dcmsr dcmjpls dcmjpeg dcmdata oflog ofstd)
    find_library(SPINERT_DCMTK_${name} ${name})
    list(APPEND dcmtk_libraries ${SPINERT_DCMTK_${name}})
  endforeach()
endif()

set(SPINERT_HAS_DICOM OFF)
if(SPINERT_DICOM AND SPINERT_DCMTK_DIR AND SPINERT_OPENJPEG_DIR AND SPINERT_OPENJPEG_LIBRARY AND
   NOT dcmtk_libraries MATCHES NOTFOUND)
  set(SPINERT_HAS_DICOM ON)
  add_library(spinert_dicom_decoder STATIC apps/dicom/decode.cpp apps/dicom/parse.cpp apps/dicom/facts.cpp
              apps/dicom/pixels.cpp apps/dicom/jpeg2000.cpp apps/dicom/decoder_messages.cpp apps/dicom/write.cpp
              apps/dicom/result_modules.cpp apps/dicom/picture_object.cpp apps/dicom/report_object.cpp)
  target_include_directories(spinert_dicom_decoder SYSTEM PRIVATE ${SPINERT_DCMTK_DIR} ${SPINERT_OPENJPEG_DIR})
  target_link_libraries(spinert_dicom_decoder PUBLIC spinert_dicom_server PRIVATE ${dcmtk_libraries}
                        ${SPINERT_OPENJPEG_LIBRARY})
  add_executable(spinert-dicom apps/dicom/main.cpp)
  target_link_libraries(spinert-dicom PRIVATE spinert_dicom_decoder)
else()
  message(STATUS "dicom: no DCMTK or no OpenJPEG, or SPINERT_DICOM is off: spinert-dicom is left out, DICOM files are E_NO_DICOM")
endif()
