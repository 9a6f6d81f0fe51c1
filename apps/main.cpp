#include "converter/convert.h"
#include "diagnosis/pipeline.h"
#include <cstdio>
#include <chrono>
using namespace spinert;
int main(int argc,char**argv){
  if(argc<2) return 2;
  std::string cmd=argv[1];
  if(cmd=="convert"){ ConvertOptions o; o.detector=argv[2];o.classifier=argv[3];o.config=argv[4];o.output=argv[5]; parse_storage(argv[6],o.storage); o.existing=AtomicFile::Existing::replace; if(argc>7)o.card=argv[7]; auto r=convert(o); printf("%s\n",r.status().to_string().c_str()); return 0;}
  PipelineOptions po; po.model=argv[2]; po.engine.device=cmd; po.engine.threads=atoi(argv[3]);
  auto t0=std::chrono::steady_clock::now();
  auto p=Pipeline::open(po); if(!p.ok()){printf("%s\n",p.status().to_string().c_str());return 1;}
  printf("open %.1f ms, memory arena %ld MB peak %ld MB weights %ld MB scratch %ld MB\n",std::chrono::duration<double,std::milli>(std::chrono::steady_clock::now()-t0).count(),p.value()->engine().memory().arena>>20,p.value()->engine().memory().live_peak>>20,p.value()->engine().memory().weights>>20,p.value()->engine().memory().scratch>>20);
  for(int rep=0;rep<(cmd=="cpu"?3:1);rep++)
  for(int i=4;i<argc;i++){ auto pic=read_picture(argv[i]); if(!pic.ok()){printf("%s\n",pic.status().to_string().c_str());continue;}
   auto r=p.value()->diagnose(pic.value(),argv[i]);
   printf("%s %s %s det %.1f cls %.1f ms n=%zu cand=%zu\n",argv[i],r.status.c_str(),r.alert.c_str(),r.milliseconds["detector"],r.milliseconds["classifier"],r.vertebrae.size(),r.candidates.size());
   if(rep==0)for(auto&v:r.vertebrae){printf("  %d [%.3f %.3f %.3f %.3f] %.6f ",v.id,v.box[0],v.box[1],v.box[2],v.box[3],v.score);for(float q:v.probabilities)printf(" %.5f",q);for(auto&l:v.labels)printf(" %s",l.c_str());puts("");}
   for(auto&q:r.reasons)printf("  reason %s: %s\n",q.code.c_str(),q.text.c_str());
   if(argc>5&&rep==2){ }
  }
  if(getenv("NODES")){ auto*pl=p.value()->engine().plan("detector"); double sum=0; for(size_t i=0;i<pl->nodes().size();i++){auto&n=pl->nodes()[i]; if(n.constant)continue; double best=1e9; auto t=std::chrono::steady_clock::now(); pl->run_node(i); best=std::chrono::duration<double,std::milli>(std::chrono::steady_clock::now()-t).count(); sum+=best; printf("%8.2f ms %6.1f GF/s %s %s\n",best,n.flops/best/1e6,n.name.c_str(),n.kernel.c_str());} printf("sum %.1f\n",sum);}
}
